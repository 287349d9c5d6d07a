import Foundation
import OmniEngine
import OmniTensor

/// The causal variational autoencoder between videos and latents (arXiv:2503.20314, section 4.1; reference: diffusers' classes of
/// `autoencoder_kl_wan.py` and `autoencoder_kl_qwenimage.py`). It goes through a video chunk by chunk: the first frame, then as
/// many at a time as share a latent, often four. A picture is a video of one frame.
package struct CausalAutoencoder: Sendable {
    /// `config.json`.
    package struct Config: Decodable, Sendable {
        let base_dim: Int
        let decoder_base_dim: Int?
        package let z_dim: Int
        let dim_mult: [Int]
        let num_res_blocks: Int
        let attn_scales: [Float]?
        let temperal_downsample: [Bool]
        let latents_mean: [Float]
        let latents_std: [Float]
        let is_residual: Bool?
        let in_channels: Int?
        let input_channels: Int?
        let out_channels: Int?
        package let patch_size: Int?

        /// Pixels of a patch's side, which become channels before anything else.
        var patch: Int { patch_size ?? 1 }
        /// Channels of patches; a file counts those of the patch in already.
        var inputs: Int { in_channels ?? input_channels ?? 3 }
        var outputs: Int { out_channels ?? input_channels ?? 3 }
        /// Pixels for each latent, along one axis.
        package var scale: Int { patch << (dim_mult.count - 1) }
        /// Frames for each latent but the first, which stands for one.
        var frameScale: Int { 1 << temperal_downsample.prefix(dim_mult.count - 1).count(where: \.self) }
    }

    package let config: Config
    let encoder: CausalEncoder?
    let decoder: CausalDecoder
    /// Pixels of a tile's side, for pictures; videos are told their tiles.
    var tileSide = VideoTiling().side

    /// How its weights are loaded; without the encoder's, which are a third, where nothing is encoded.
    ///
    /// - Parameter rounds: whether convolutions round to bf16, where this CPU is faster with that. It halves the memory, too.
    package static func adjust(_ options: inout WeightOptions, encodes: Bool = true, rounds: Bool = false) {
        options.packsKernels = true
        options.roundsKernels = rounds
        if !encodes { options.select = { !$0.hasPrefix("encoder.") && !$0.hasPrefix("quant_conv.") } }
    }

    /// - Parameter encodes: as its weights were loaded.
    package init(_ config: Config, _ store: WeightStore, encodes: Bool = true) throws {
        try Self.check(config, store.source)
        self.config = config
        encoder = encodes ? try CausalEncoder(config, Weights(store)) : nil
        decoder = try CausalDecoder(config, Weights(store))
    }

    private static func check(_ config: Config, _ source: String) throws {
        func broken(_ reason: String) -> DiffusionError { .checkpoint(path: source, reason: "its config \(reason)") }
        guard !config.dim_mult.isEmpty, config.dim_mult.allSatisfy({ $0 > 0 }), config.base_dim > 0, config.num_res_blocks > 0,
            config.z_dim > 0
        else {
            throw broken("has no blocks")
        }
        guard config.temperal_downsample.count >= config.dim_mult.count - 1 else {
            throw broken("does not say for each block whether it halves the frames")
        }
        guard config.latents_mean.count == config.z_dim, config.latents_std.count == config.z_dim, !config.latents_std.contains(0) else {
            throw broken("has no mean and deviation for each of \(config.z_dim) latent channels")
        }
        guard (1...8).contains(config.patch), config.inputs == 3 * config.patch * config.patch, config.outputs == config.inputs else {
            throw broken("has \(config.inputs) and \(config.outputs) channels for patches of \(config.patch)")
        }
        if config.attn_scales?.isEmpty == false {
            throw DiffusionError.unsupported("`attn_scales` in the VAE's config.json: attention is computed in its middle block only")
        }
    }

    /// Frames that a video of that many latents has.
    package func frames(latents: Int) -> Int { 1 + config.frameScale * (latents - 1) }

    /// Latents for a video of that many frames; those at its end that fill no latent are left out.
    package func latents(frames: Int) -> Int { 1 + (frames - 1) / config.frameScale }

    // MARK: Decoding

    /// Decodes `[latent, frames, height, width]`, without the pipeline's mean and deviation, into pictures in 0…1.
    ///
    /// - Parameters:
    ///   - tiling: for frames that are larger than its tiles; nil never cuts.
    ///   - emit: called with each frame's index in order; what it throws ends the work.
    /// - Throws: `CancellationError` within a node once the scope is cancelled; `TensorError.memory`.
    package func decode(
        _ executor: Executor, _ scope: ComputeScope, _ latents: VideoLatents, tiling: VideoTiling? = nil,
        emit: (Int, FloatImage) throws -> Void
    ) throws {
        try check(latents, channels: config.z_dim)
        let tiles = tiling.flatMap { max(latents.shape[2], latents.shape[3]) > $0.side / config.scale ? $0 : nil }
        var memories = tiles == nil ? [TemporalCache(on: executor.backend)] : []
        var index = 0
        for frame in 0..<latents.shape[1] {
            let latent = latents.frame(frame)
            let pictures =
                try tiles.map { try decodeTiles(executor, scope, latent, $0, &memories) }
                ?? decodeChunk(executor, scope, latent, memories[0])
            for picture in pictures {
                try emit(index, LatentFrame.picture(picture, patch: config.patch))
                index += 1
            }
        }
    }

    /// One latent frame's pictures, of patches.
    func decodeChunk(_ executor: Executor, _ scope: ComputeScope, _ latent: LatentFrame, _ memory: TemporalCache) throws -> [LatentFrame] {
        let values = try executor.evaluate(scope) { [try decoder($0, $0.input(latent.shape, latent.values), memory)] }[0]
        memory.chunkIsDone()
        let side = config.scale / config.patch
        return LatentFrame.split(values, width: latent.width * side, height: latent.height * side, channels: config.outputs)
    }

    /// What decoding latents of that size takes, what is carried between chunks included. It does not depend on the number of frames.
    package func decodePrice(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        try executor.price { [try decoder($0, $0.input([config.z_dim, width, height, 1], []), .measuring())] }
    }

    // MARK: Encoding

    /// Means and logarithms of variances `[2 · latent, frames, height, width]` of a video of pictures in 0…1.
    ///
    /// - Parameter frame: asked for each frame once, in order.
    package func encode(
        _ executor: Executor, _ scope: ComputeScope, frames: Int, width: Int, height: Int, frame: (Int) throws -> FloatImage
    ) throws -> VideoLatents {
        guard let encoder else { throw DiffusionError.unsupported("encoding with an autoencoder that was loaded for decoding") }
        guard frames > 0, width > 0, height > 0, width % config.scale == 0, height % config.scale == 0 else {
            throw TensorError.shape(operation: "encode", reason: "\(frames) frames of \(width)×\(height), not multiples of \(config.scale)")
        }
        let memory = TemporalCache(on: executor.backend)
        var moments: [LatentFrame] = []
        for chunk in 0..<latents(frames: frames) {
            let range = chunk == 0 ? 0..<1 : 1 + config.frameScale * (chunk - 1)..<1 + config.frameScale * chunk
            let pictures = try range.map { try LatentFrame(frame($0), width: width, height: height, patch: config.patch) }
            let shape = pictures[0].shape.dropLast() + [pictures.count]
            let values = try executor.evaluate(scope) { [try encoder($0, $0.input(Array(shape), pictures.flatMap(\.values)), memory)] }[0]
            memory.chunkIsDone()
            moments += LatentFrame.split(values, width: width / config.scale, height: height / config.scale, channels: 2 * config.z_dim)
        }
        return try LatentFrame.latents(moments)
    }

    /// As ``decodePrice(_:width:height:)``, for pictures of that size in pixels.
    package func encodePrice(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        guard let encoder else { return GraphPrice() }
        let shape = [config.inputs, width / config.patch, height / config.patch, config.frameScale]
        return try executor.price { [try encoder($0, $0.input(shape, []), .measuring())] }
    }

    // MARK: The pipeline's scale

    var normalization: LatentNormalization { .perChannel(mean: config.latents_mean, deviation: config.latents_std) }

    /// The most likely latents of moments: their means.
    func mode(_ moments: VideoLatents) throws -> VideoLatents {
        try check(moments, channels: 2 * config.z_dim)
        let shape = [config.z_dim] + moments.shape[1...]
        return try VideoLatents(checked: shape, Array(moments.values.prefix(shape.reduce(1, *))))
    }

    /// Latents as the transformer wants them.
    func normalized(_ latents: VideoLatents) throws -> VideoLatents {
        try check(latents, channels: config.z_dim)
        return try VideoLatents(checked: latents.shape, normalization.normalized(latents.values))
    }

    /// Latents as the decoder wants them.
    func denormalized(_ latents: VideoLatents) throws -> VideoLatents {
        try check(latents, channels: config.z_dim)
        return try VideoLatents(checked: latents.shape, normalization.denormalized(latents.values))
    }

    private func check(_ latents: VideoLatents, channels: Int) throws {
        guard latents.shape[0] == channels else {
            throw TensorError.shape(operation: "latents", reason: "\(latents.shape) has not \(channels) channels")
        }
    }
}
