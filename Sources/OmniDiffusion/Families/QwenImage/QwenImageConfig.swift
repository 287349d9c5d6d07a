import OmniTensor

/// `transformer/config.json` of a `QwenImageTransformer2DModel` (arXiv:2508.02324).
struct QwenImageConfig: Decodable, Sendable {
    let patch_size: Int
    let in_channels: Int
    let out_channels: Int?
    let num_layers: Int
    let attention_head_dim: Int
    let num_attention_heads: Int
    let joint_attention_dim: Int
    let axes_dims_rope: [Int]
    let guidance_embeds: Bool?
    let zero_cond_t: Bool?
    let use_additional_t_cond: Bool?
    let use_layer3d_rope: Bool?

    var head: Int { attention_head_dim }
    var dim: Int { num_attention_heads * attention_head_dim }
    /// Channels of the latents, which a patch has side by side.
    var latentChannels: Int { in_channels / (patch_size * patch_size) }
    /// Positions along each axis, on both sides of 0.
    static let places = 4096
    static let epsilon: Float = 1e-6

    func check() throws {
        func unsupported(_ what: String) -> DiffusionError { .unsupported("a Qwen-Image transformer with \(what)") }
        guard patch_size == 2, in_channels > 0, in_channels % 4 == 0, (out_channels ?? in_channels) * 4 == in_channels else {
            throw unsupported("patches of \(patch_size), \(in_channels) channels in and \(out_channels ?? in_channels) out")
        }
        guard num_attention_heads > 0, axes_dims_rope.count == 3, axes_dims_rope.allSatisfy({ $0 > 0 && $0 % 2 == 0 }),
            axes_dims_rope.reduce(0, +) == head
        else {
            throw unsupported("axes \(axes_dims_rope) for heads of \(head)")
        }
        let variants = [
            ("guidance_embeds", guidance_embeds), ("zero_cond_t", zero_cond_t), ("use_additional_t_cond", use_additional_t_cond),
            ("use_layer3d_rope", use_layer3d_rope),
        ]
        if let variant = variants.first(where: { $0.1 == true }) { throw unsupported(variant.0) }
    }
}
