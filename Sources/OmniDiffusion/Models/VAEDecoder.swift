import OmniTensor

/// Latents to pictures: `[latent, width, height]` to `[3, width·scale, height·scale]`.
struct VAEDecoder: Sendable {
    private struct Stage: Sendable {
        let blocks: [ResnetBlock]
        let up: Convolution?
    }

    private let latents: Convolution?
    private let input, output: Convolution
    private let middle: MiddleBlock
    private let stages: [Stage]
    private let norm: GroupNorm

    init(_ config: AutoencoderKL.Config, _ root: Weights) throws {
        let weights = root.at("decoder")
        let (channels, groups) = (
            Array((config.decoder_block_out_channels ?? config.block_out_channels).reversed()), config.norm_num_groups
        )
        let (widest, narrowest, count) = (channels[0], channels[channels.count - 1], config.latent_channels)
        latents = config.use_post_quant_conv ?? true ? try Convolution(root.at("post_quant_conv"), count, count, ConvolutionWindow()) : nil
        input = try Convolution(weights.at("conv_in"), count, widest)
        middle = try MiddleBlock(
            weights.at("mid_block"), channels: widest, groups: groups, attention: config.mid_block_add_attention ?? true)
        stages = try channels.indices.map { index in
            let stage = weights.at("up_blocks.\(index)")
            let blocks = try (0...config.layers_per_block).map { layer in
                try ResnetBlock(
                    stage.at("resnets.\(layer)"), layer == 0 ? channels[max(0, index - 1)] : channels[index], channels[index],
                    groups: groups)
            }
            let doubling = ConvolutionWindow(size: 3, padding: 1, doubles: true)
            let up =
                index == channels.count - 1
                ? nil : try Convolution(stage.at("upsamplers.0.conv"), channels[index], channels[index], doubling)
            return Stage(blocks: blocks, up: up)
        }
        norm = try GroupNorm(weights.at("conv_norm_out"), groups: groups, channels: narrowest)
        output = try Convolution(weights.at("conv_out"), narrowest, config.out_channels)
    }

    func callAsFunction(_ graph: Graph, _ latent: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
        var x = try input(graph, latents.map { try $0(graph, latent) } ?? latent)
        x = try middle(graph, x, precision)
        for stage in stages {
            for block in stage.blocks { x = try block(graph, x) }
            if let up = stage.up { x = try up(graph, x) }
        }
        return try norm(graph, x, into: output)
    }
}
