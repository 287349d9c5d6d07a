import OmniTensor

/// Pictures to latents' moments: `[3, width, height]` to `[2 · latent, width/scale, height/scale]`.
struct VAEEncoder: Sendable {
    private struct Stage: Sendable {
        let blocks: [ResnetBlock]
        let down: Convolution?
    }

    private let input, output: Convolution
    private let stages: [Stage]
    private let middle: MiddleBlock
    private let norm: GroupNorm
    private let moments: Convolution?

    init(_ config: AutoencoderKL.Config, _ root: Weights) throws {
        let weights = root.at("encoder")
        let (channels, groups) = (config.block_out_channels, config.norm_num_groups)
        let last = channels.count - 1
        input = try Convolution(weights.at("conv_in"), config.in_channels, channels[0])
        stages = try channels.indices.map { index in
            let stage = weights.at("down_blocks.\(index)")
            let blocks = try (0..<config.layers_per_block).map { layer in
                try ResnetBlock(
                    stage.at("resnets.\(layer)"), layer == 0 ? channels[max(0, index - 1)] : channels[index], channels[index],
                    groups: groups)
            }
            // One row and one column of zeros, at the far ends only.
            let halving = ConvolutionWindow(size: 3, stride: 2, padding: 0, trailing: 1)
            let down = index == last ? nil : try Convolution(stage.at("downsamplers.0.conv"), channels[index], channels[index], halving)
            return Stage(blocks: blocks, down: down)
        }
        middle = try MiddleBlock(
            weights.at("mid_block"), channels: channels[last], groups: groups, attention: config.mid_block_add_attention ?? true)
        norm = try GroupNorm(weights.at("conv_norm_out"), groups: groups, channels: channels[last])
        output = try Convolution(weights.at("conv_out"), channels[last], 2 * config.latent_channels)
        let count = 2 * config.latent_channels
        moments = config.use_quant_conv ?? true ? try Convolution(root.at("quant_conv"), count, count, ConvolutionWindow()) : nil
    }

    func callAsFunction(_ graph: Graph, _ picture: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
        var x = try input(graph, picture)
        for stage in stages {
            for block in stage.blocks { x = try block(graph, x) }
            if let down = stage.down { x = try down(graph, x) }
        }
        x = try middle(graph, x, precision)
        x = try norm(graph, x, into: output)
        return try moments.map { try $0(graph, x) } ?? x
    }
}
