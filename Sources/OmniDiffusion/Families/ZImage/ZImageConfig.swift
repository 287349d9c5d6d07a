/// `transformer/config.json` of a `ZImageTransformer2DModel` (arXiv:2511.22699).
struct ZImageConfig: Decodable, Sendable {
    let all_patch_size: [Int]
    let all_f_patch_size: [Int]
    let in_channels: Int
    let dim: Int
    let n_layers: Int
    let n_refiner_layers: Int
    let n_heads: Int
    let norm_eps: Float
    let qk_norm: Bool
    let cap_feat_dim: Int
    let rope_theta: Double
    let t_scale: Float
    let axes_dims: [Int]
    let axes_lens: [Int]

    var head: Int { dim / n_heads }
    var patch: Int { all_patch_size[0] }
    /// Features of the timestep's embedding.
    var timeFeatures: Int { min(dim, 256) }
    /// Inner width of a feed-forward layer.
    var hidden: Int { Int(Double(dim) / 3 * 8) }
    /// Sequences are padded to a multiple of this.
    static let multiple = 32

    func check() throws {
        guard all_patch_size.count == 1, all_f_patch_size == [1], patch > 0, axes_dims.count == 3, axes_lens.count == 3, n_heads > 0,
            dim % n_heads == 0, axes_dims.allSatisfy({ $0 > 0 && $0 % 2 == 0 }), axes_dims.reduce(0, +) == head
        else {
            throw DiffusionError.unsupported(
                "a Z-Image transformer with patches \(all_patch_size), \(all_f_patch_size) and axes \(axes_dims) for \(dim)/\(n_heads)")
        }
        guard qk_norm else { throw DiffusionError.unsupported("a Z-Image transformer without qk_norm") }
    }

    static func padded(_ count: Int) -> Int { (count + multiple - 1) / multiple * multiple }
}
