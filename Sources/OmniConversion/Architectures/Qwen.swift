import OmniAPI

extension Architecture {
    /// Qwen2 and Qwen2.5.
    static let qwen2 = Architecture(
        classes: ["Qwen2ForCausalLM"], name: "qwen2", defaults: qwenDefaults, tensors: decoderTensors,
        layers: ("model.layers", decoderLayer()),
        check: checkQwen, metadata: decoderMetadata)

    static let qwen3 = Architecture(
        classes: ["Qwen3ForCausalLM"], name: "qwen3", defaults: qwen3Defaults, tensors: decoderTensors,
        layers: ("model.layers", qwen3Layer),
        check: checkQwen, metadata: decoderMetadata)

    /// Qwen3-Reranker, which has the class of one that writes: it judges a pair of texts by its next token.
    static let qwen3Reranker = Architecture(
        classes: qwen3.classes, name: qwen3.name, title: "qwen3-reranker", isClassifier: true, answers: ["yes", "no"],
        defaults: qwen3Defaults, tensors: decoderTensors.filter { $0.source != "lm_head" }, layers: qwen3.layers,
        check: checkQwen,
        metadata: { config, metadata throws(ConversionError) in
            try decoderMetadata(config, &metadata)
            metadata.set("pooling_type", .uint32(Pooling.rank.rawValue))
            metadata["tokenizer.chat_templates"] = .strings(["rerank"])
            metadata["tokenizer.chat_template.rerank"] = .string(rerankerPrompt)
        })

    /// What Qwen3-Reranker was trained to be asked.
    private static let rerankerPrompt = """
        <|im_start|>system
        Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \
        "yes" or "no".<|im_end|>
        <|im_start|>user
        <Instruct>: Given a web search query, retrieve relevant passages that answer the query
        <Query>: {query}
        <Document>: {document}<|im_end|>
        <|im_start|>assistant
        <think>

        </think>


        """

    /// Qwen3-Embedding: the network without its head; the last token's state is the text's vector.
    static let qwen3Embedding = Architecture(
        classes: ["Qwen3Model"], name: "qwen3", isEmbedding: true, defaults: qwen3Defaults, prefixes: ["model."],
        tensors: [TensorRule("embed_tokens", "token_embd", rows: .tokens), TensorRule("norm", "output_norm")],
        layers: ("layers", qwen3Layer),
        check: checkQwen, metadata: decoderMetadata)

    static let qwen3MoE = Architecture(
        classes: ["Qwen3MoeForCausalLM"], name: "qwen3moe",
        defaults: qwenDefaults.merging(["num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768]) { $1 },
        tensors: decoderTensors, layers: ("model.layers", qwen3MoELayer),
        check: { config throws(ConversionError) in
            try checkQwen(config)
            try config.require("decoder_sparse_step", 1)
            try config.require("norm_topk_prob", true)
            if config["norm_topk_prob"] == nil { throw config.unsupported("norm_topk_prob is not there, and only true can be run.") }
            try config.require("mlp_only_layers", [])
        },
        metadata: { config, metadata throws(ConversionError) in
            try decoderMetadata(config, &metadata)
            metadata.set("expert_count", try config.integer("num_experts"))
            metadata.set("expert_used_count", try config.integer("num_experts_per_tok"))
            metadata.set("expert_feed_forward_length", try config.integer("moe_intermediate_size"))
        })

    private static let qwenDefaults: [String: JSONValue] = [
        "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "num_key_value_heads": 32,
    ]
    private static let qwen3Defaults = qwenDefaults.merging(["head_dim": 128]) { $1 }

    private static let qwen3Layer =
        decoderLayer() + [TensorRule("self_attn.q_norm", "attn_q_norm"), TensorRule("self_attn.k_norm", "attn_k_norm")]
    private static let qwen3MoELayer =
        qwen3Layer.filter { !$0.source.hasPrefix("mlp.") } + [
            TensorRule("mlp.gate", "ffn_gate_inp"), TensorRule("mlp.experts.*.gate_proj", "ffn_gate_exps", rows: .experts),
            TensorRule("mlp.experts.*.up_proj", "ffn_up_exps", rows: .experts),
            TensorRule("mlp.experts.*.down_proj", "ffn_down_exps", rows: .experts),
        ]

    @Sendable private static func checkQwen(_ config: Config) throws(ConversionError) {
        try config.require("hidden_act", "silu")
        try config.require("use_sliding_window", false)
        if config.rope().type == "longrope" { throw config.unsupported("Rotary positions of the type longrope cannot be run.") }
    }
}
