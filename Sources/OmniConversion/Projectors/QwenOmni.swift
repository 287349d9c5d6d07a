import Foundation
import OmniAPI

extension Projector {
    /// Eyes and ears of Qwen2.5-Omni.
    static let qwen25Omni = Projector(
        name: "qwen2.5o", prefixes: ["thinker."], used: ["visual.", "audio_tower."],
        check: { config throws(ConversionError) in
            let thinker = try config.section("thinker_config"), audio = try thinker.section("audio_config", whisperDefaults)
            let output = try thinker.section("text_config").integer("hidden_size")
            try checkQwen25Vision(thinker.section("vision_config"), output: output)
            try audio.require("activation_function", "gelu")
            try audio.require("output_dim", .int(output))
            // Sound is cut into pieces of two seconds that do not see each other.
            try audio.require("n_window", 100)
            try audio.require("scale_embedding", false)
            try audio.require("max_source_positions", 1500)
            try thinker.require("position_id_per_seconds", 25)
        },
        metadata: { config, preprocessor, metadata throws(ConversionError) in
            let thinker = try config.section("thinker_config"), audio = try thinker.section("audio_config", whisperDefaults)
            let output = try thinker.section("text_config").integer("hidden_size")
            try qwen25VisionMetadata(thinker.section("vision_config"), preprocessor, output: output, &metadata)
            metadata["clip.has_audio_encoder"] = .bool(true)
            metadata.set("audio.projection_dim", output)
            metadata.set("audio.embedding_length", try audio.integer("d_model"))
            metadata.set("audio.feed_forward_length", try audio.integer("encoder_ffn_dim"))
            metadata.set("audio.block_count", try audio.integer("encoder_layers"))
            metadata.set("audio.attention.head_count", try audio.integer("encoder_attention_heads"))
            metadata.set("audio.num_mel_bins", try audio.integer("num_mel_bins"))
            metadata.set("audio.attention.layer_norm_epsilon", 1e-5)
        },
        tensors: [
            TensorRule("audio_tower.conv1", "a.conv1d.1", rows: .channels), TensorRule("audio_tower.conv2", "a.conv1d.2", rows: .channels),
            TensorRule("audio_tower.ln_post", "a.post_ln"), TensorRule("audio_tower.proj", "mm.a.fc"), qwenPatches,
            TensorRule("visual.merger.ln_q", "v.post_ln"),
        ] + qwenMerger,
        layers: { config throws(ConversionError) in
            let thinker = try config.section("thinker_config")
            return [
                .init(
                    source: "audio_tower.layers", target: "a.blk", count: try thinker.section("audio_config").integer("encoder_layers"),
                    rules: whisperLayer),
                .init(
                    source: "visual.blocks", target: "v.blk", count: try thinker.section("vision_config").integer("depth"),
                    rules: qwen25Layer(isSplit: true)),
            ]
        },
        generated: { config throws(ConversionError) in
            let width = try config.section("thinker_config").section("audio_config").integer("d_model")
            guard width > 2, width % 2 == 0, width <= 1 << 16 else {
                throw ConversionError(.damaged, config.path, "d_model is \(width).")
            }
            return [
                TensorPlan(
                    name: "a.position_embd.weight", shape: [width, soundPositions], type: .f32, content: .values(sinusoids(width: width)))
            ]
        },
        unused: ["audio_tower.audio_bos_eos_token"])

    private static let whisperDefaults: [String: JSONValue] = ["n_window": 100, "max_source_positions": 1500, "num_mel_bins": 128]
    /// Places that a sound's pieces may have.
    private static let soundPositions = 1500

    /// Layers of Whisper's encoder.
    private static let whisperLayer = [
        TensorRule("self_attn_layer_norm", "ln1"), TensorRule("self_attn.q_proj", "attn_q"), TensorRule("self_attn.k_proj", "attn_k"),
        TensorRule("self_attn.v_proj", "attn_v"), TensorRule("self_attn.out_proj", "attn_out"), TensorRule("final_layer_norm", "ln2"),
        TensorRule("fc1", "ffn_up"), TensorRule("fc2", "ffn_down"),
    ]

    /// Sines, then cosines, of a place at frequencies from 1 to 1/10000 (Whisper's own positions), in f32 as the reference computes them.
    private static func sinusoids(width: Int) -> [Float] {
        let half = width / 2, step = Float(log(10000.0) / Double(half - 1))
        let scales = (0..<half).map { expf(-step * Float($0)) }
        return (0..<soundPositions).flatMap { place in
            scales.map { sinf(Float(place) * $0) } + scales.map { cosf(Float(place) * $0) }
        }
    }
}
