import OmniAPI

extension Architecture {
    /// Every fourth layer has no positions.
    static let smolLM3 = Architecture(
        classes: ["SmolLM3ForCausalLM"], name: "smollm3",
        defaults: [
            "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 2_000_000.0, "num_key_value_heads": 4,
            "no_rope_layer_interval": 4,
            "tie_word_embeddings": true,
        ],
        tensors: decoderTensors, layers: ("model.layers", decoderLayer(permuted: true)), saysPrefixSpace: true,
        check: { config throws(ConversionError) in
            try checkLlama(config)
            try config.require("use_sliding_window", false)
            try config.require("no_rope_layer_interval", 4)
            for (place, turns) in (config["no_rope_layers"]?.arrayValue ?? []).enumerated() where turns != .integer(place % 4 == 3 ? 0 : 1)
            {
                throw config.unsupported("no_rope_layers has others than every fourth layer.")
            }
        },
        metadata: llamaMetadata, generated: llama3Frequencies)
}
