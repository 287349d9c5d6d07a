import OmniAPI

extension Architecture {
    /// The text models of Gemma 3. Their norms are stored as what is to be added to 1.
    static let gemma3 = Architecture(
        classes: ["Gemma3ForCausalLM"], name: "gemma3",
        defaults: [
            "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "rope_local_base_freq": 10000.0,
            "num_attention_heads": 8,
            "num_key_value_heads": 4, "head_dim": 256, "sliding_window": 4096, "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 256,
            "tie_word_embeddings": true,
        ],
        tensors: decoderTensors.map { rule in rule.target == "output_norm" ? TensorRule(rule.source, rule.target, plus: 1) : rule },
        layers: (
            "model.layers",
            [
                TensorRule("input_layernorm", "attn_norm", plus: 1), TensorRule("self_attn.q_proj", "attn_q"),
                TensorRule("self_attn.k_proj", "attn_k"),
                TensorRule("self_attn.v_proj", "attn_v"), TensorRule("self_attn.o_proj", "attn_output"),
                TensorRule("self_attn.q_norm", "attn_q_norm", plus: 1), TensorRule("self_attn.k_norm", "attn_k_norm", plus: 1),
                TensorRule("post_attention_layernorm", "post_attention_norm", plus: 1),
                TensorRule("pre_feedforward_layernorm", "ffn_norm", plus: 1),
                TensorRule("post_feedforward_layernorm", "post_ffw_norm", plus: 1), TensorRule("mlp.gate_proj", "ffn_gate"),
                TensorRule("mlp.up_proj", "ffn_up"), TensorRule("mlp.down_proj", "ffn_down"),
            ]
        ),
        check: checkGemma3,
        metadata: { config, metadata throws(ConversionError) in
            try decoderMetadata(config, &metadata)
            let local = config.rope("sliding_attention")
            let isSplit = config["rope_parameters"]?["sliding_attention"] != nil
            metadata.set("rope.freq_base_swa", try isSplit ? local.base ?? 10000 : config.number("rope_local_base_freq"))
            metadata.set("attention.sliding_window", try config.integer("sliding_window"))
            if let cap = config["final_logit_softcapping"]?.doubleValue { metadata.set("final_logit_softcapping", cap) }
        })

    @Sendable private static func checkGemma3(_ config: Config) throws(ConversionError) {
        try config.require("hidden_activation", "gelu_pytorch_tanh")
        try config.require("sliding_window_pattern", 6)
        try config.require("use_bidirectional_attention", false)
        if config["attn_logit_softcapping"] != nil { throw config.unsupported("attn_logit_softcapping cannot be run.") }
        let scalar = try config.number("query_pre_attn_scalar")
        // The 27B is the one whose scale is not that of its heads.
        let own = try config.integer("num_hidden_layers") == 62 ? config.integer("hidden_size") / config.heads : config.headLength
        guard scalar == Double(own) else { throw config.unsupported("query_pre_attn_scalar is \(scalar), and only \(own) can be run.") }
        guard let kinds = config["layer_types"]?.arrayValue else { return }
        for (place, kind) in kinds.enumerated() where kind != .string(place % 6 == 5 ? "full_attention" : "sliding_attention") {
            throw config.unsupported("layer_types has another order than five layers with a window and one without.")
        }
    }
}
