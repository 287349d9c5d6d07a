import Foundation
import OmniAPI

extension Architecture {
    /// Phi-3, Phi-3.5 and Phi-4 (mini) of text alone.
    static let phi3 = Architecture(
        classes: ["Phi3ForCausalLM"], name: "phi3",
        defaults: [
            "max_position_embeddings": 4096, "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "partial_rotary_factor": 1.0,
        ],
        tensors: decoderTensors,
        layers: (
            "model.layers",
            [
                TensorRule("input_layernorm", "attn_norm"), TensorRule("self_attn.qkv_proj", "attn_qkv"),
                TensorRule("self_attn.o_proj", "attn_output"),
                TensorRule("post_attention_layernorm", "ffn_norm"), TensorRule("mlp.gate_up_proj", "ffn_up"),
                TensorRule("mlp.down_proj", "ffn_down"),
            ]
        ),
        check: { config throws(ConversionError) in
            try config.require("hidden_act", "silu")
            guard ["default", "longrope", "su"].contains(config.rope().type) else {
                throw config.unsupported("Rotary positions of the type \(config.rope().type) cannot be run.")
            }
        },
        metadata: { config, metadata throws(ConversionError) in
            let (length, original) = (try config.integer("max_position_embeddings"), try config.integer("original_max_position_embeddings"))
            // libllama's network has no window: texts longer than it would be computed differently.
            metadata.set("context_length", min(length, config["sliding_window"]?.intValue ?? length))
            metadata.set("rope.scaling.original_context_length", original)
            metadata.set("embedding_length", try config.integer("hidden_size"))
            metadata.set("feed_forward_length", try config.integer("intermediate_size"))
            metadata.set("block_count", try config.integer("num_hidden_layers"))
            metadata.set("attention.head_count", try config.heads)
            metadata.set("attention.head_count_kv", try config.keyValueHeads)
            metadata.set("attention.layer_norm_rms_epsilon", try config.number("rms_norm_eps"))
            metadata.set("rope.dimension_count", try phiRotaryLength(config))
            metadata.set("rope.freq_base", config.rope().base ?? 10000)
            metadata.set("attention.sliding_window", config["sliding_window"]?.intValue ?? 0)
            guard config.rope().numbers("long_factor") != nil else { return }
            let scale = Double(length) / Double(max(original, 1))
            metadata.set("rope.scaling.attn_factor", scale > 1 ? sqrt(1 + log(scale) / log(Double(original))) : 1)
        },
        generated: { config throws(ConversionError) in
            let rope = config.rope()
            guard let long = rope.numbers("long_factor"), !long.isEmpty else { return [:] }
            let count = try phiRotaryLength(config) / 2
            guard let short = rope.numbers("short_factor"), long.count == count, short.count == count else {
                throw config.unsupported("long_factor and short_factor must have \(count) numbers each.")
            }
            return ["rope_factors_long.weight": long.map { Float($0) }, "rope_factors_short.weight": short.map { Float($0) }]
        })

    private static func phiRotaryLength(_ config: Config) throws(ConversionError) -> Int {
        let own = config.rope().number("partial_rotary_factor"), part = try own == nil ? config.number("partial_rotary_factor") : own ?? 1
        return Int(part * Double(try config.integer("hidden_size"))) / (try config.heads)
    }
}
