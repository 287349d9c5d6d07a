import OmniAPI
import OmniGGUF

extension ComponentLayout {
    /// Qwen3 as transformers writes it.
    static let qwen3 = ComponentLayout(
        name: "Qwen3", part: .textEncoder,
        marks: [["embed_tokens.weight", "layers.0.self_attn.q_norm.weight", "layers.0.mlp.gate_proj.weight"]], names: textNames,
        config: { try textConfig($0, head: $0.outputs("model.layers.0.self_attn.q_norm.weight")) })

    /// Qwen2.5, and the text model of Qwen2.5-VL, as transformers writes them.
    static let qwen2 = ComponentLayout(
        name: "Qwen2.5", part: .textEncoder,
        marks: [["embed_tokens.weight", "layers.0.self_attn.q_proj.bias", "layers.0.mlp.gate_proj.weight"]], names: textNames,
        config: { try textConfig($0, head: nil) }, open: ["head_dim", "num_attention_heads", "num_key_value_heads"])

    /// Qwen3 as llama.cpp writes it.
    static let qwen3GGUF = ComponentLayout(
        name: "Qwen3", part: .textEncoder, marks: [["token_embd.weight", "blk.0.attn_q_norm.weight", "blk.0.ffn_gate.weight"]],
        names: llamaNames, config: { try llamaConfig($0, ["qwen3"]) })

    /// Qwen2.5, and the text model of Qwen2.5-VL, as llama.cpp writes them.
    static let qwen2GGUF = ComponentLayout(
        name: "Qwen2.5", part: .textEncoder, marks: [["token_embd.weight", "blk.0.attn_q.bias", "blk.0.ffn_gate.weight"]],
        names: llamaNames, config: { try llamaConfig($0, ["qwen2", "qwen2vl"]) })

    private static let textNames: @Sendable (String, Shapes) -> [String]? = { name, _ in
        name.hasPrefix(of: ["embed_tokens.", "layers.", "norm."]) ? ["model." + name] : name.hasPrefix("lm_head.") ? [] : nil
    }

    private static let llamaNames: @Sendable (String, Shapes) -> [String]? = { name, _ in
        switch name {
        case "output.weight": return []
        case "token_embd.weight": return ["model.embed_tokens.weight"]
        case "output_norm.weight": return ["model.norm.weight"]
        default:
            guard name.hasPrefix("blk."), let (own, theirs) = llamaParts.first(where: { name.contains($0.0) }) else { return nil }
            return ["model.layers." + name.dropFirst("blk.".count).replacing(own, with: theirs)]
        }
    }

    private static let llamaParts = [
        (".attn_norm.", ".input_layernorm."), (".ffn_norm.", ".post_attention_layernorm."), (".attn_q_norm.", ".self_attn.q_norm."),
        (".attn_k_norm.", ".self_attn.k_norm."), (".attn_q.", ".self_attn.q_proj."), (".attn_k.", ".self_attn.k_proj."),
        (".attn_v.", ".self_attn.v_proj."), (".attn_output.", ".self_attn.o_proj."), (".ffn_gate.", ".mlp.gate_proj."),
        (".ffn_up.", ".mlp.up_proj."), (".ffn_down.", ".mlp.down_proj."),
    ]

    /// - Parameter head: features of a head; nil where no shape tells, as in Qwen2.5, whose published sizes for pictures have 128.
    private static func textConfig(_ shapes: Shapes, head: Int?) throws -> JSONObject {
        let hidden = try shapes.axes("model.embed_tokens.weight")[0]
        var config = JSONObject([
            ("hidden_size", .int(hidden)), ("intermediate_size", .int(try shapes.outputs("model.layers.0.mlp.gate_proj.weight"))),
            ("num_hidden_layers", .int(shapes.count("model.layers."))),
            ("vocab_size", .int(try shapes.outputs("model.embed_tokens.weight"))), ("rms_norm_eps", 1e-6), ("rope_theta", 1_000_000.0),
        ])
        guard let head = head ?? (hidden % 128 == 0 ? 128 : nil), head > 0 else { return config }
        config["head_dim"] = .int(head)
        config["num_attention_heads"] = .int(try shapes.outputs("model.layers.0.self_attn.q_proj.weight") / head)
        config["num_key_value_heads"] = .int(try shapes.outputs("model.layers.0.self_attn.k_proj.weight") / head)
        return config
    }

    /// What a GGUF's metadata say goes before what is usual.
    private static func llamaConfig(_ shapes: Shapes, _ architectures: [String]) throws -> JSONObject {
        let key = shapes.header?.architecture ?? "unknown"
        guard let header = shapes.header, architectures.contains(key) else {
            throw SingleFileError(shapes.source, "is of the architecture \(key), not \(architectures.joined(separator: " or "))")
        }
        if let scaling = header.string("\(key).rope.scaling.type"), scaling != "none" {
            throw SingleFileError(shapes.source, "stretches its positions (\(scaling)), which is not done here")
        }
        guard let heads = header.integer("\(key).attention.head_count"), heads > 0 else {
            throw SingleFileError(shapes.source, "does not say how many heads it has")
        }
        let head = try header.integer("\(key).attention.key_length") ?? shapes.outputs("model.layers.0.self_attn.q_proj.weight") / heads
        var config = try textConfig(shapes, head: head)
        config["rms_norm_eps"] = header.number("\(key).attention.layer_norm_rms_epsilon").map { .number($0) } ?? config["rms_norm_eps"]
        config["rope_theta"] = header.number("\(key).rope.freq_base").map { .number($0) } ?? config["rope_theta"]
        return config
    }
}
