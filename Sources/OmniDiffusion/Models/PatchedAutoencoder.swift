import OmniEngine
import OmniTensor

/// The KL autoencoder with latents in patches: the latents of a square lie side by side as channels, and each of those channels is
/// normalized by statistics of its own, as a batch norm kept them (reference: diffusers `AutoencoderKLFlux2`).
///
/// To pipelines it is an autoencoder of a larger scale and more channels.
struct PatchedAutoencoder: Autoencoder {
    let inner: AutoencoderKL
    /// Latents of a patch's side.
    let patch: Int
    let normalization: LatentNormalization

    /// - Throws: ``DiffusionError`` where the statistics are missing, have another length, or patches are not square.
    init(_ config: AutoencoderKL.Config, _ store: WeightStore, precision: AttentionPrecision) throws {
        patch = try Self.patch(config)
        inner = try AutoencoderKL(config, store, precision: precision)
        let channels = try Self.latentChannels(config)
        func statistics(_ name: String) throws -> [Float] {
            guard let values = store.values(name), values.count == channels, values.allSatisfy(\.isFinite) else {
                throw DiffusionError.checkpoint(
                    path: store.source, reason: "has no \(name) of \(channels) numbers, one for each latent of a patch")
            }
            return values
        }
        let variance = try statistics("bn.running_var").map { $0 + (config.batch_norm_eps ?? 1e-4) }
        guard variance.allSatisfy({ $0 > 0 }) else {
            throw DiffusionError.checkpoint(path: store.source, reason: "has a variance in bn.running_var that is not above 0")
        }
        normalization = .perChannel(mean: try statistics("bn.running_mean"), deviation: variance.map { $0.squareRoot() })
    }

    private static func patch(_ config: AutoencoderKL.Config) throws -> Int {
        let sides = config.patch_size ?? [2, 2]
        guard sides.count == 2, sides[0] == sides[1], sides[0] > 0 else {
            throw DiffusionError.unsupported("a VAE with patches of \(sides)")
        }
        return sides[0]
    }

    /// Channels of its latents; throws where patches are not square.
    static func latentChannels(_ config: AutoencoderKL.Config) throws -> Int {
        let patch = try patch(config)
        return config.latent_channels * patch * patch
    }

    /// How its weights are loaded.
    static func adjust(_ options: inout WeightOptions, rounds: Bool) {
        (options.packsKernels, options.roundsKernels) = (true, rounds)
        // Only training counts batches.
        options.select = { !$0.hasSuffix(".num_batches_tracked") }
    }

    var scale: Int { inner.scale * patch }
    var latentChannels: Int { inner.latentChannels * patch * patch }
    var tileSide: Int { max(inner.tileSide, 2 * scale) }

    func encode(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane {
        try inner.encode(executor, scope, picture).patched(patch)
    }

    func decode(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane) throws -> Plane {
        try inner.decode(executor, scope, latents.unpatched(patch))
    }

    func encodeTiled(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane {
        try inner.encodeTiled(executor, scope, picture).patched(patch)
    }

    func decodeTiled(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane, done: (Int, Int) throws -> Void) throws -> Plane {
        try inner.decodeTiled(executor, scope, latents.unpatched(patch), done: done)
    }

    func encodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        try inner.encodeMemory(executor, width: width, height: height)
    }

    func decodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        try inner.decodeMemory(executor, width: width * patch, height: height * patch)
    }
}

extension Plane {
    /// Squares of `side` a side as one place with more channels: columns fastest, then rows, then the channels there were.
    func patched(_ side: Int) -> Plane {
        Plane(width: width / side, height: height / side, channels: channels * side * side) { x, y, channel in
            self[x * side + channel % side, y * side + channel / side % side, channel / (side * side)]
        }
    }

    /// The reverse.
    func unpatched(_ side: Int) -> Plane {
        Plane(width: width * side, height: height * side, channels: channels / (side * side)) { x, y, channel in
            self[x / side, y / side, (channel * side + y % side) * side + x % side]
        }
    }
}
