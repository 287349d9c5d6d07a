import OmniAPI

extension Projector {
    /// Patches of two frames; beginnings of both names without the numbers of layers.
    static let qwenPatches = TensorRule("visual.patch_embed.proj", "v.patch_embd", rows: .frames)
    static let qwenMerger = [TensorRule("visual.merger.mlp.0", "mm.0"), TensorRule("visual.merger.mlp.2", "mm.2")]
    private static let qwenAttention = TensorRule("attn.qkv", "attn_qkv", rows: .thirds(["attn_q", "attn_k", "attn_v"]))

    /// Layers of Qwen2-VL's tower.
    static let qwen2Layer = [
        TensorRule("norm1", "ln1"), qwenAttention, TensorRule("attn.proj", "attn_out"), TensorRule("norm2", "ln2"),
        TensorRule("mlp.fc1", "ffn_up"), TensorRule("mlp.fc2", "ffn_down"),
    ]
    /// Those of Qwen2.5's: a gate, and most of them see a window only. Omni's has queries, keys and values apart.
    static func qwen25Layer(isSplit: Bool) -> [TensorRule] {
        let apart = [TensorRule("attn.q", "attn_q"), TensorRule("attn.k", "attn_k"), TensorRule("attn.v", "attn_v")]
        return [TensorRule("norm1", "ln1")] + (isSplit ? apart : [qwenAttention]) + [
            TensorRule("attn.proj", "attn_out"), TensorRule("norm2", "ln2"), TensorRule("mlp.gate_proj", "ffn_gate"),
            TensorRule("mlp.up_proj", "ffn_up"), TensorRule("mlp.down_proj", "ffn_down"),
        ]
    }

    /// What libmtmd's `qwen2vl` graph computes, and nothing else.
    static func checkQwen25Vision(_ tower: Config, output: Int) throws(ConversionError) {
        try checkQwenVision(tower)
        try tower.require("hidden_act", "silu")
        try tower.require("window_size", 112)
        try tower.require("patch_size", 14)
        try tower.require("out_hidden_size", .int(output))
        let full = tower["fullatt_block_indexes"]?.arrayValue?.compactMap(\.intValue) ?? []
        guard let first = full.first, full == Array(stride(from: first, through: full.last ?? first, by: first + 1)),
            full.count == (try tower.integer("depth")) / (first + 1)
        else {
            throw tower.unsupported("fullatt_block_indexes is \(full), and only layers at equal distances can see everything.")
        }
    }

    static func checkQwenVision(_ tower: Config) throws(ConversionError) {
        try tower.require("spatial_merge_size", 2)
        try tower.require("temporal_patch_size", 2)
        for key in ["in_channels", "in_chans"] { try tower.require(key, 3) }
    }

    static func qwen25VisionMetadata(_ tower: Config, _ preprocessor: Config, output: Int, _ metadata: inout Metadata)
        throws(ConversionError)
    {
        // As llama.cpp's converter reads it: where the file has the name of Qwen2-VL for the width, the other one is taken for the feed-forward.
        let isOlder = tower["embed_dim"] != nil
        try visionMetadata(
            tower, preprocessor, width: isOlder ? "embed_dim" : "hidden_size", feedForward: isOlder ? "hidden_size" : "intermediate_size",
            output: output, &metadata)
        metadata["clip.use_silu"] = .bool(true)
        metadata.set("vision.n_wa_pattern", (tower["fullatt_block_indexes"]?[0]?.intValue ?? 0) + 1)
        metadata.set("vision.attention.layer_norm_epsilon", 1e-6)
        pixelMetadata(preprocessor, &metadata)
    }
}
