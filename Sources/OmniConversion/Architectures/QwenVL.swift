import OmniAPI

extension Architecture {
    /// The part of Qwen2.5-Omni that reads, sees and hears. Its talker and what makes sound of codes are read elsewhere.
    static let qwen25Omni = Architecture(
        classes: ["Qwen2_5OmniModel", "Qwen2_5OmniForConditionalGeneration"], name: "qwen2vl",
        sections: [["thinker_config", "text_config"]], projector: .qwen25Omni, defaults: qwenVLDefaults,
        prefixes: ["thinker.model.", "thinker."], tensors: languageTensors, layers: ("layers", decoderLayer()),
        unused: ["talker.", "token2wav."], check: checkQwenVL, metadata: qwenVLMetadata)

    static let qwen2VL = qwenVL("Qwen2VLForConditionalGeneration", .qwen2VL)
    static let qwen25VL = qwenVL("Qwen2_5_VLForConditionalGeneration", .qwen25VL)

    /// Tensors are called as they were published first, or as transformers 5 saves them.
    private static func qwenVL(_ name: String, _ projector: Projector) -> Architecture {
        Architecture(
            classes: [name], name: "qwen2vl", sections: [["text_config"]], projector: projector, defaults: qwenVLDefaults,
            prefixes: ["model.language_model.", "model."], tensors: languageTensors, layers: ("layers", decoderLayer()), check: checkQwenVL,
            metadata: qwenVLMetadata)
    }

    /// Its encoder hands the outputs of some of its layers to the first layers of the language model too.
    static let qwen3VL = Architecture(
        classes: ["Qwen3VLForConditionalGeneration"], name: "qwen3vl", sections: [["text_config"]], projector: .qwen3VL,
        defaults: qwenVLDefaults.merging(["head_dim": 128]) { $1 }, prefixes: ["model.language_model.", "model."], tensors: languageTensors,
        layers: (
            "layers", decoderLayer() + [TensorRule("self_attn.q_norm", "attn_q_norm"), TensorRule("self_attn.k_norm", "attn_k_norm")]
        ),
        check: { config throws(ConversionError) in
            try checkPositions(config)
            guard config.rope().values["mrope_interleaved"] == .bool(true) else {
                throw config.unsupported("mrope_interleaved is not true, and only that can be run.")
            }
        },
        metadata: { config, metadata throws(ConversionError) in
            try qwenVLMetadata(config, &metadata)
            metadata.set("n_deepstack_layers", try config.section("vision_config")["deepstack_visual_indexes"]?.arrayValue?.count ?? 0)
        })

    /// The language model of one that has more than that: no `model.` before its tensors.
    static let languageTensors = [
        TensorRule("embed_tokens", "token_embd", rows: .tokens), TensorRule("norm", "output_norm"),
        TensorRule("lm_head", "output", rows: .tokens, isOptional: true),
    ]

    private static let qwenVLDefaults: [String: JSONValue] = [
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0,
    ]

    @Sendable private static func checkQwenVL(_ config: Config) throws(ConversionError) {
        try checkPositions(config)
        guard try config.headLength * config.heads == config.integer("hidden_size") else {
            throw config.unsupported("Its heads are not as wide as the network, which libllama does not expect.")
        }
    }

    /// Positions have three axes: time, height and width.
    private static func checkPositions(_ config: Config) throws(ConversionError) {
        try config.require("hidden_act", "silu")
        try config.require("use_sliding_window", false)
        let rope = config.rope()
        guard ["default", "mrope"].contains(rope.type) else {
            throw config.unsupported("Rotary positions of the type \(rope.type) cannot be run.")
        }
        let sections = rope.numbers("mrope_section") ?? []
        guard sections.count == 3, sections.reduce(0, +) * 2 == Double(try config.headLength) else {
            throw config.unsupported(
                "mrope_section is \(sections), and must be three numbers that fill half a head of \(try config.headLength).")
        }
    }

    @Sendable private static func qwenVLMetadata(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        try decoderMetadata(config, &metadata)
        sectionMetadata(config, &metadata)
    }

    /// How half a head is shared out among the axes of a position.
    static func sectionMetadata(_ config: Config, _ metadata: inout Metadata) {
        let sections = config.rope().numbers("mrope_section") ?? []
        metadata.set("rope.dimension_sections", .int32s((sections + [0]).map { Int32($0) }))
    }
}
