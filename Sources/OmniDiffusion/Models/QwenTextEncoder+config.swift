extension QwenTextEncoder {
    /// `config.json`, or its `text_config` where the model has more than text.
    struct Config: Decodable, Sendable {
        struct RoPE: Decodable, Sendable {
            let rope_theta: Double?
            let rope_type: String?
            let mrope_section: [Int]?
        }

        let hidden_size: Int
        let intermediate_size: Int
        let num_hidden_layers: Int
        let num_attention_heads: Int
        let num_key_value_heads: Int
        let head_dim: Int?
        let vocab_size: Int
        let rms_norm_eps: Float
        let rope_theta: Double?
        let rope_parameters: RoPE?
        let rope_scaling: RoPE?
        let attention_bias: Bool?
        let use_sliding_window: Bool?

        var head: Int { head_dim ?? hidden_size / num_attention_heads }
        var theta: Double { rope_parameters?.rope_theta ?? rope_theta ?? 10_000 }
        /// Pairs of features that turn with each axis of a position.
        var sections: [Int] { rope_parameters?.mrope_section ?? rope_scaling?.mrope_section ?? [] }

        func check(_ generation: Generation) throws {
            let name = generation == .qwen3 ? "Qwen3" : "Qwen2.5"
            if generation == .qwen3, attention_bias == true {
                throw DiffusionError.unsupported("a \(name) text encoder with attention_bias")
            }
            if use_sliding_window == true { throw DiffusionError.unsupported("a \(name) text encoder with a sliding window") }
            guard num_attention_heads > 0, num_key_value_heads > 0, num_attention_heads % num_key_value_heads == 0, head > 0, head % 2 == 0
            else {
                throw DiffusionError.unsupported(
                    "a \(name) text encoder of \(num_attention_heads) and \(num_key_value_heads) heads of \(head)")
            }
            for rope in [rope_parameters, rope_scaling].compactMap(\.self) {
                if let kind = rope.rope_type, kind != "default" { throw DiffusionError.unsupported("rope_type \(kind)") }
            }
        }
    }

    /// The file of a model that has more than text.
    private struct Outer: Decodable { let text_config: Config }

    static func config(_ checkpoint: Checkpoint, _ component: String = "text_encoder") throws -> Config {
        if let outer: Outer = try? checkpoint.config(component) { return outer.text_config }
        return try checkpoint.config(component)
    }
}
