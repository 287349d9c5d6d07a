import Foundation
import OmniAPI

extension Architecture {
    /// Llama 1 to 3, Mistral, SmolLM and SmolLM2, and everything that takes their class.
    static let llama = Architecture(
        classes: ["LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM"], name: "llama",
        defaults: ["max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0],
        tensors: decoderTensors, layers: ("model.layers", decoderLayer(permuted: true)), saysPrefixSpace: true, check: checkLlama,
        metadata: { config, metadata throws(ConversionError) in
            try llamaMetadata(config, &metadata)
            metadata.set("attention.key_length", try config.headLength)
            metadata.set("attention.value_length", try config.headLength)
        },
        generated: llama3Frequencies)

    @Sendable static func checkLlama(_ config: Config) throws(ConversionError) {
        try config.require("hidden_act", "silu")
        if config.rope().type == "longrope" { throw config.unsupported("Rotary positions of the type longrope cannot be run.") }
    }

    static func llamaMetadata(_ config: Config, _ metadata: inout Metadata) throws(ConversionError) {
        try decoderMetadata(config, &metadata)
        metadata.set("vocab_size", try config.integer("vocab_size"))
        metadata.set("rope.dimension_count", try config.headLength)
        metadata.set("attention.head_count_kv", try config.keyValueHeads)
        // libllama's network sees everything: texts longer than the window would be computed differently.
        if config.className == "MistralForCausalLM", let window = config["sliding_window"]?.intValue {
            metadata.set("context_length", min(window, try config.integer("max_position_embeddings")))
        }
    }

    /// Llama 3.1's stretch of the slow rotations, as divisors of the frequencies (`rope_type` llama3).
    @Sendable static func llama3Frequencies(_ config: Config) throws(ConversionError) -> [String: [Float]] {
        let rope = config.rope("full_attention")
        guard rope.type == "llama3" else { return [:] }
        let length = try config.headLength
        let factor = rope.number("factor") ?? 8
        let (low, high) = (rope.number("low_freq_factor") ?? 1, rope.number("high_freq_factor") ?? 4)
        let original = rope.number("original_max_position_embeddings") ?? 8192
        guard high > low, length > 0 else {
            throw config.unsupported("Its llama3 scaling has a high_freq_factor that is not above low_freq_factor.")
        }
        let divisors = stride(from: 0, to: length, by: 2).map { axis -> Float in
            // Frequencies are f32 in the reference.
            let frequency = 1 / powf(Float(rope.base ?? 10000), Float(axis) / Float(length))
            let wave = 2 * Double.pi / Double(frequency)
            if wave < original / high { return 1 }
            if wave > original / low { return Float(factor) }
            let smooth = (original / wave - low) / (high - low)
            return Float(1 / ((1 - smooth) / factor + smooth))
        }
        return ["rope_freqs.weight": divisors]
    }
}
