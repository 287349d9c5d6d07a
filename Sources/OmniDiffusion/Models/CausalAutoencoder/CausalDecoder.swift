import OmniTensor

/// Latents to frames: `[latent, width, height, 1]` to `[3 · patch², width·scale, height·scale, frames]`: one frame for the
/// first latent of a video, four for each other.
struct CausalDecoder: Sendable {
    private struct Stage: Sendable {
        let blocks: [CausalResidualBlock]
        let up: CausalUpsample?
        let shortcut: CausalShortcut?

        func callAsFunction(_ graph: Graph, _ input: Tensor, _ memory: TemporalCache) throws -> Tensor {
            var x = try blocks.reduce(input) { try $1(graph, $0, memory) }
            if let up { x = try up(graph, x, memory) }
            return try shortcut.map { try graph.add(x, $0.grow(graph, input, isFirst: memory.isFirst)) } ?? x
        }
    }

    private let latents, input, output: CausalConvolution3D
    private let middle: CausalMiddleBlock
    private let stages: [Stage]
    /// Stages up to the last that doubles the frames; after these, frames go one by one, which takes a quarter of the memory.
    private let together: Int
    private let norm: ChannelNorm

    init(_ config: CausalAutoencoder.Config, _ root: Weights) throws {
        let (weights, residual) = (root.at("decoder"), config.is_residual ?? false)
        let factors = [config.dim_mult[config.dim_mult.count - 1]] + config.dim_mult.reversed()
        let channels = factors.map { $0 * (config.decoder_base_dim ?? config.base_dim) }
        let (last, doubling) = (config.dim_mult.count - 1, Array(config.temperal_downsample.reversed()))
        latents = try CausalConvolution3D(root.at("post_quant_conv"), config.z_dim, config.z_dim, ConvolutionWindow())
        input = try CausalConvolution3D(causal: weights.at("conv_in"), config.z_dim, channels[0])
        middle = try CausalMiddleBlock(weights.at("mid_block"), channels[0])
        stages = try (0...last).map { index in
            let stage = weights.at("up_blocks.\(index)")
            // Without shortcuts each upsampling halves the channels.
            let (inputs, outputs) = (index > 0 && !residual ? channels[index] / 2 : channels[index], channels[index + 1])
            let blocks = try (0...config.num_res_blocks).map {
                try CausalResidualBlock(stage.at("resnets.\($0)"), $0 == 0 ? inputs : outputs, outputs)
            }
            guard index < last else { return Stage(blocks: blocks, up: nil, shortcut: nil) }
            let up = try CausalUpsample(
                stage.at(residual ? "upsampler" : "upsamplers.0"), outputs, residual ? outputs : outputs / 2, doublesFrames: doubling[index]
            )
            let shortcut = residual ? try CausalShortcut(inputs, outputs, side: 2, frames: doubling[index] ? 2 : 1, shrinks: false) : nil
            return Stage(blocks: blocks, up: up, shortcut: shortcut)
        }
        together = (doubling.prefix(last).lastIndex(of: true) ?? -1) + 1
        norm = try ChannelNorm(weights.at("norm_out"), channels[last + 1])
        output = try CausalConvolution3D(causal: weights.at("conv_out"), channels[last + 1], config.outputs)
    }

    func callAsFunction(_ graph: Graph, _ latent: Tensor, _ memory: TemporalCache) throws -> Tensor {
        let start = try middle(graph, input(graph, latents(graph, latent, memory), memory), memory)
        let x = try stages[..<together].reduce(start) { try $1(graph, $0, memory) }
        let frames = try (0..<x[3]).map { frame in
            let single = try stages[together...].reduce(graph.slice(x, axis: 3, frame..<frame + 1)) { try $1(graph, $0, memory) }
            return try output(graph, graph.silu(norm(graph, single)), memory)
        }
        return try graph.concat(frames, axis: 3)
    }
}
