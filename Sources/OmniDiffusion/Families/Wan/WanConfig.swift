/// `transformer/config.json` of Wan.
struct WanConfig: Decodable, Sendable {
    let patch_size: [Int]
    let num_attention_heads: Int
    let attention_head_dim: Int
    let in_channels: Int
    let out_channels: Int?
    let text_dim: Int
    let freq_dim: Int
    let ffn_dim: Int
    let num_layers: Int
    let cross_attn_norm: Bool?
    let qk_norm: String?
    let eps: Float?
    let image_dim: Int?
    let added_kv_proj_dim: Int?
    let rope_max_seq_len: Int?
    let pos_embed_seq_len: Int?

    var heads: Int { num_attention_heads }
    var head: Int { attention_head_dim }
    var dim: Int { heads * head }
    var epsilon: Float { eps ?? 1e-6 }
    var outputs: Int { out_channels ?? in_channels }
    /// Latents of one channel in a patch.
    var patchSize: Int { patch_size.reduce(1, *) }
    /// Places along one axis.
    var longestAxis: Int { rope_max_seq_len ?? 1024 }
    /// Pairs of features that turn with frame, row and column.
    var sections: [Int] {
        let side = head / 6
        return [head / 2 - 2 * side, side, side]
    }

    /// Angle of pair `j` of an axis with `n` pairs is position over `10000^(j/n)`.
    var divisors: [Float] { Rotation.divisors(sections.map { 2 * $0 }, theta: 10_000) }

    func check() throws {
        guard patch_size.count == 3, patch_size.allSatisfy({ $0 > 0 }), heads > 0, head >= 6, head % 2 == 0, freq_dim > 0, freq_dim % 2 == 0
        else {
            throw DiffusionError.unsupported(
                "a Wan transformer with patches \(patch_size), \(heads) heads of \(head) and \(freq_dim) frequencies")
        }
        guard patch_size[0] == 1 else { throw DiffusionError.unsupported("a Wan transformer with patches of several frames") }
        guard qk_norm == nil || qk_norm == "rms_norm_across_heads" else {
            throw DiffusionError.unsupported("a Wan transformer with qk_norm \(qk_norm ?? "")")
        }
    }

    /// What decides whether the second expert fits to the first.
    var interface: [Int] { patch_size + [in_channels, outputs, text_dim] }
}

/// How many patches a clip has along each axis.
struct WanGrid: Sendable, Equatable {
    var frames: Int
    var rows: Int
    var columns: Int

    var count: Int { frames * rows * columns }
    /// Patches of one frame.
    var area: Int { rows * columns }

    /// Frame, row and column of each patch, axis by axis.
    var positions: [[Int32]] {
        var axes: [[Int32]] = [[], [], []]
        for frame in 0..<frames {
            for row in 0..<rows {
                for column in 0..<columns {
                    axes[0].append(Int32(frame))
                    axes[1].append(Int32(row))
                    axes[2].append(Int32(column))
                }
            }
        }
        return axes
    }
}
