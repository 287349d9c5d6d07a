import OmniTensor

/// `transformer/config.json` of a `Flux2Transformer2DModel`.
struct Flux2KleinConfig: Decodable, Sendable {
    let patch_size: Int?
    let in_channels: Int
    let out_channels: Int?
    let num_layers: Int
    let num_single_layers: Int
    let attention_head_dim: Int
    let num_attention_heads: Int
    let joint_attention_dim: Int
    let timestep_guidance_channels: Int?
    let mlp_ratio: Double?
    let axes_dims_rope: [Int]
    let rope_theta: Double?
    let eps: Float?
    let guidance_embeds: Bool?

    var head: Int { attention_head_dim }
    var dim: Int { num_attention_heads * attention_head_dim }
    /// Inner features of the feed-forward layers, after their gate.
    var inner: Int { Int(Double(dim) * (mlp_ratio ?? 3)) }
    /// Width of the sinusoids that stand for the time.
    var waves: Int { timestep_guidance_channels ?? 256 }
    var theta: Double { rope_theta ?? 2000 }
    var epsilon: Float { eps ?? 1e-6 }

    func check() throws {
        func unsupported(_ what: String) -> DiffusionError { .unsupported("a FLUX.2 klein transformer with \(what)") }
        guard patch_size ?? 1 == 1, in_channels > 0, out_channels ?? in_channels == in_channels else {
            throw unsupported("patches of \(patch_size ?? 1), \(in_channels) channels in and \(out_channels ?? in_channels) out")
        }
        guard num_attention_heads > 0, axes_dims_rope.count == 4, axes_dims_rope.allSatisfy({ $0 > 0 && $0 % 2 == 0 }),
            axes_dims_rope.reduce(0, +) == head
        else {
            throw unsupported("axes \(axes_dims_rope) for heads of \(head)")
        }
        guard inner > 0, waves > 0, waves % 2 == 0, num_layers > 0, num_single_layers > 0 else {
            throw unsupported("\(num_layers) and \(num_single_layers) blocks of \(inner) inner features, times of \(waves)")
        }
        // That of the large models, whose pipeline is another.
        if guidance_embeds == true { throw unsupported("guidance_embeds") }
    }
}
