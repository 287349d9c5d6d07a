import Foundation
import OmniEngine
import OmniTensor

/// The variational autoencoder between pictures and latents (arXiv:2112.10752; reference: diffusers `AutoencoderKL`).
struct AutoencoderKL: Autoencoder {
    /// `config.json`.
    struct Config: Decodable, Sendable {
        let in_channels: Int
        let out_channels: Int
        let block_out_channels: [Int]
        /// Where the decoder has widths of its own.
        let decoder_block_out_channels: [Int]?
        let layers_per_block: Int
        let latent_channels: Int
        let norm_num_groups: Int
        let sample_size: Int?
        let scaling_factor: Float?
        let shift_factor: Float?
        /// For each latent channel, where a checkpoint has them.
        let latents_mean, latents_std: [Float]?
        let use_quant_conv: Bool?
        let use_post_quant_conv: Bool?
        let mid_block_add_attention: Bool?
        let act_fn: String?
        /// As ``PatchedAutoencoder`` reads them.
        let patch_size: [Int]?
        let batch_norm_eps: Float?

        /// The reference's default where the file has none.
        var factor: Float { scaling_factor ?? 0.18215 }
        /// Pixels for each latent, along one axis.
        var scale: Int { 1 << (block_out_channels.count - 1) }
    }

    let config: Config
    let encoder: VAEEncoder
    let decoder: VAEDecoder
    let precision: AttentionPrecision

    init(_ config: Config, _ store: WeightStore, precision: AttentionPrecision) throws {
        guard !config.block_out_channels.isEmpty, config.scaling_factor != 0,
            config.decoder_block_out_channels.map({ $0.count == config.block_out_channels.count }) ?? true
        else {
            throw DiffusionError.checkpoint(
                path: store.source, reason: "its config has no blocks, a decoder of another scale, or a scaling factor of 0")
        }
        for statistics in [config.latents_mean, config.latents_std] {
            guard let statistics else { continue }
            guard statistics.count == config.latent_channels, config.latents_std?.contains(0) != true else {
                throw DiffusionError.checkpoint(
                    path: store.source, reason: "its config has no mean and deviation for each of \(config.latent_channels) latent channels"
                )
            }
        }
        if let activation = config.act_fn, activation != "silu" {
            throw DiffusionError.unsupported("a VAE with the activation \(activation)")
        }
        self.config = config
        self.precision = precision
        encoder = try VAEEncoder(config, Weights(store))
        decoder = try VAEDecoder(config, Weights(store))
    }

    var scale: Int { config.scale }
    var latentChannels: Int { config.latent_channels }
    var tileSide: Int { max(config.sample_size ?? 512, 2 * config.scale) }

    var normalization: LatentNormalization {
        guard let mean = config.latents_mean, let deviation = config.latents_std else {
            return .scaled(by: config.factor, shift: config.shift_factor ?? 0)
        }
        return .perChannel(mean: mean, deviation: deviation.map { $0 / config.factor })
    }

    /// Mean and logarithm of the variance `[width/scale, height/scale, 2 · latent]` for `[width, height, 3]` in −1…1.
    func encode(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane {
        let values = try executor.evaluate(scope) { [try encodeGraph($0, picture)] }[0]
        return Plane(
            width: picture.width / config.scale, height: picture.height / config.scale, channels: 2 * config.latent_channels, values: values
        )
    }

    /// `[width·scale, height·scale, 3]` in about −1…1 for latents as the decoder wants them, without scale and shift.
    func decode(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane) throws -> Plane {
        let values = try executor.evaluate(scope) { [try decodeGraph($0, latents)] }[0]
        return Plane(
            width: latents.width * config.scale, height: latents.height * config.scale, channels: config.out_channels, values: values)
    }

    func encodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        try executor.price { [try encodeGraph($0, Plane(width: width, height: height, channels: config.in_channels, values: []))] }
    }

    func decodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        try executor.price { [try decodeGraph($0, Plane(width: width, height: height, channels: config.latent_channels, values: []))] }
    }

    private func decodeGraph(_ graph: Graph, _ latents: Plane) throws -> Tensor {
        try planar(graph, decoder(graph, channelsFirst(graph, latents), precision))
    }

    private func encodeGraph(_ graph: Graph, _ picture: Plane) throws -> Tensor {
        try planar(graph, encoder(graph, channelsFirst(graph, picture), precision))
    }

    private func channelsFirst(_ graph: Graph, _ plane: Plane) throws -> Tensor {
        try graph.contiguous(graph.permute(graph.input(plane.shape, plane.values), [1, 2, 0, 3]))
    }

    private func planar(_ graph: Graph, _ x: Tensor) throws -> Tensor { try graph.permute(x, [2, 0, 1, 3]) }
}
