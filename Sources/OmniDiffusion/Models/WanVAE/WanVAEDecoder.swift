import OmniTensor

/// Latents to frames: `[latent, width, height, 1]` to `[3 · patch², width·scale, height·scale, frames]`: one frame for the
/// first latent of a film, four for each other.
struct WanVAEDecoder: Sendable {
    private struct Stage: Sendable {
        let blocks: [WanResidualBlock]
        let up: WanUpsample?
        let shortcut: WanShortcut?
    }

    private let latents, input, output: FilmConvolution
    private let middle: WanMiddleBlock
    private let stages: [Stage]
    private let norm: ChannelNorm

    init(_ config: AutoencoderKLWan.Config, _ root: Weights) throws {
        let (weights, residual) = (root.at("decoder"), config.is_residual ?? false)
        let factors = [config.dim_mult[config.dim_mult.count - 1]] + config.dim_mult.reversed()
        let channels = factors.map { $0 * (config.decoder_base_dim ?? config.base_dim) }
        let (last, doubling) = (config.dim_mult.count - 1, Array(config.temperal_downsample.reversed()))
        latents = try FilmConvolution(root.at("post_quant_conv"), config.z_dim, config.z_dim, ConvolutionWindow())
        input = try FilmConvolution(causal: weights.at("conv_in"), config.z_dim, channels[0])
        middle = try WanMiddleBlock(weights.at("mid_block"), channels[0])
        stages = try (0...last).map { index in
            let stage = weights.at("up_blocks.\(index)")
            // Without shortcuts each upsampling halves the channels.
            let (inputs, outputs) = (index > 0 && !residual ? channels[index] / 2 : channels[index], channels[index + 1])
            let blocks = try (0...config.num_res_blocks).map { try WanResidualBlock(stage.at("resnets.\($0)"), $0 == 0 ? inputs : outputs, outputs) }
            guard index < last else { return Stage(blocks: blocks, up: nil, shortcut: nil) }
            let up = try WanUpsample(
                stage.at(residual ? "upsampler" : "upsamplers.0"), outputs, residual ? outputs : outputs / 2, doublesFrames: doubling[index])
            let shortcut = residual ? try WanShortcut(inputs, outputs, side: 2, frames: doubling[index] ? 2 : 1, shrinks: false) : nil
            return Stage(blocks: blocks, up: up, shortcut: shortcut)
        }
        norm = try ChannelNorm(weights.at("norm_out"), channels[last + 1])
        output = try FilmConvolution(causal: weights.at("conv_out"), channels[last + 1], config.outputs)
    }

    func callAsFunction(_ graph: Graph, _ latent: Tensor, _ memory: FilmMemory) throws -> Tensor {
        var x = try middle(graph, input(graph, latents(graph, latent, memory), memory), memory)
        for stage in stages {
            let before = x
            for block in stage.blocks { x = try block(graph, x, memory) }
            if let up = stage.up { x = try up(graph, x, memory) }
            if let shortcut = stage.shortcut { x = try graph.add(x, shortcut.grow(graph, before, isFirst: memory.isFirst)) }
        }
        return try output(graph, graph.silu(norm(graph, x)), memory)
    }
}
