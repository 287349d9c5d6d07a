import OmniAPI

/// What a file of a pipeline holds.
public enum ComponentPart: String, Sendable, CaseIterable {
    case transformer
    case textEncoder = "text_encoder"
    case vae
}

/// How files of one network are written by those who do not write diffusers' folders: what tells them, and what diffusers calls their tensors.
struct ComponentLayout: Sendable {
    let name: String
    let part: ComponentPart
    /// Each a list of names all of which such a file has, behind one prefix.
    let marks: [[String]]
    /// Diffusers' names of a tensor: one, or several for equal parts of its outputs; none of what is not used. Nil for a tensor that the
    /// network does not have.
    let names: @Sendable (String, Shapes) -> [String]?
    /// As `config.json` would say it, of diffusers' names.
    let config: @Sendable (Shapes) throws -> JSONObject
    /// What no shape tells unless it is of a published size, and must be in the configuration.
    var open: [String] = []
    /// Matrices that the file has as kernels of one pixel.
    var flattens: @Sendable (String) -> Bool = { _ in false }
    /// Tensors, by diffusers' name, whose outputs' halves the file has the other way round.
    var swapped: Set<String> = []

    static let all: [ComponentLayout] = [
        .zImage, .qwenImage, .flux2Klein, .wan,
        .qwen3, .qwen2, .qwen3GGUF, .qwen2GGUF, .umt5, .umt5Own, .umt5GGUF,
        .autoencoderKL, .causalAutoencoder,
    ]
}

extension String {
    /// With each first text replaced by the second, in order.
    func replacing(_ pairs: [(String, String)]) -> String { pairs.reduce(self) { $0.replacing($1.0, with: $1.1) } }

    func hasPrefix(of prefixes: [String]) -> Bool { prefixes.contains { hasPrefix($0) } }
}
