import OmniAPI

extension Architecture {
    /// Granite 3 and 4 with dense layers: a Llama with four factors.
    static let granite = Architecture(
        classes: ["GraniteForCausalLM"], name: "granite",
        defaults: ["max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0],
        tensors: decoderTensors, layers: ("model.layers", decoderLayer(permuted: true)), preTokenizer: ["smollm": "refact"],
        saysPrefixSpace: true,
        check: { config throws(ConversionError) in
            try checkLlama(config)
            if config["head_dim"] != nil, try config.headLength != config.integer("hidden_size") / config.heads {
                throw config.unsupported("head_dim is another than hidden_size over num_attention_heads.")
            }
        },
        metadata: { config, metadata throws(ConversionError) in
            try llamaMetadata(config, &metadata)
            let factors = [
                ("attention_multiplier", "attention.scale"), ("embedding_multiplier", "embedding_scale"),
                ("residual_multiplier", "residual_scale"),
                ("logits_scaling", "logit_scale"),
            ]
            for (key, name) in factors { metadata.set(name, try config[key] == nil ? 1 : config.number(key)) }
        },
        generated: llama3Frequencies)
}
