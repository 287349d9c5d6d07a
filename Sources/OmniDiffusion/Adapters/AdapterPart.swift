/// What a tensor of an adapter's file is, by its name. Dotted names of the model's modules have `transformer.` (diffusers), `diffusion_model.`
/// (ComfyUI, and most trainers) or `base_model.model.` (PEFT) before and `.lora_A` / `.lora_B` or `.lora_down` / `.lora_up` behind, a change of the bias is `.diff_b`; kohya's are
/// flat: `lora_unet_` and underscores.
struct AdapterPart {
    enum Kind { case down, up, alpha, bias }

    /// A module of an expert.
    struct Place: Hashable {
        let module: String
        let expert: Int
    }

    let name: String
    /// As the model or its publisher calls it, dotted, or as ``flat(_:)`` has it.
    let module: String
    let kind: Kind
    /// Of two experts, 1 for the second; nil where the name leaves it open.
    let expert: Int?

    private static let endings: [(String, Kind)] = [
        (".lora_A.weight", .down), (".lora_down.weight", .down), (".lora.down.weight", .down), (".lora_B.weight", .up),
        (".lora_up.weight", .up), (".lora.up.weight", .up), (".alpha", .alpha),
        (".lora_B.bias", .bias), (".diff_b", .bias),
    ]
    private static let prefixes = ["base_model.model.", "model.diffusion_model.", "diffusion_model.", "transformer.", "transformer_2."]
    private static let flatPrefix = "lora_unet_"

    /// Ends of names in files of other kinds, which change weights in another way.
    private static let foreign = [
        (".dora_scale", "DoRA's"), (".lora_magnitude_vector", "DoRA's"), (".hada_w1_a", "LoHa's"), (".lokr_w1", "LoKr's"),
        (".lokr_w1_a", "LoKr's"),
        (".diff", "a whole change of a weight"), (".oft_blocks", "OFT's"),
        (".reshape_weight", "a change of shape"),
    ]

    init?(_ name: String) {
        let plain = name.replacing(".default.", with: ".")
        guard let (ending, kind) = Self.endings.first(where: { plain.hasSuffix($0.0) }) else { return nil }
        var (module, expert) = (String(plain.dropLast(ending.count)), Int?.none)
        for prefix in Self.prefixes where module.hasPrefix(prefix) {
            module.removeFirst(prefix.count)
            if prefix == "transformer_2." { expert = 1 }
        }
        for prefix in ["lora_transformer_", "lycoris_"] where module.hasPrefix(prefix) {
            module = Self.flatPrefix + module.dropFirst(prefix.count)
        }
        (self.name, self.module, self.kind, self.expert) = (name, module, kind, expert)
    }

    /// kohya's name of a module.
    static func flat(_ module: String) -> String { flatPrefix + module.replacing(".", with: "_") }

    /// What a tensor is that has no part in a low-rank change; nil where that is not known.
    static func foreign(_ name: String) -> String? {
        foreign.first { name.hasSuffix($0.0) }.map { "\($0.1), and only low-rank changes of matrices and changes of biases are added" }
    }
}
