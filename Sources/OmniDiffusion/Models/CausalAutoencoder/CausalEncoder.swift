import OmniTensor

/// Frames to latents' moments: `[3 · patch², width, height, frames]` to `[2 · latent, width/scale, height/scale, 1]`: of one
/// frame for the first latent of a video, of four for each other.
struct CausalEncoder: Sendable {
    private struct Stage: Sendable {
        let blocks: [CausalResidualBlock]
        let down: CausalDownsample?
        let shortcut: CausalShortcut?

        func callAsFunction(_ graph: Graph, _ input: Tensor, _ memory: TemporalCache) throws -> Tensor {
            var x = try blocks.reduce(input) { try $1(graph, $0, memory) }
            if let down { x = try down(graph, x, memory) }
            return try shortcut.map { try graph.add(x, $0.shrink(graph, input)) } ?? x
        }
    }

    private let input, output, moments: CausalConvolution3D
    private let stages: [Stage]
    /// Stages before the first that halves the frames: there frames go one by one, which takes a quarter of the memory.
    private let single: Int
    private let middle: CausalMiddleBlock
    private let norm: ChannelNorm

    init(_ config: CausalAutoencoder.Config, _ root: Weights) throws {
        let (weights, residual) = (root.at("encoder"), config.is_residual ?? false)
        let channels = ([1] + config.dim_mult).map { $0 * config.base_dim }
        let last = config.dim_mult.count - 1
        input = try CausalConvolution3D(causal: weights.at("conv_in"), config.inputs, channels[0])
        // Without shortcuts all layers are in one list.
        var place = 0
        func next(_ index: Int, _ name: String) -> Weights {
            defer { place += 1 }
            return weights.at("down_blocks.\(residual ? "\(index).\(name)" : "\(place)")")
        }
        stages = try (0...last).map { index in
            let (inputs, outputs) = (channels[index], channels[index + 1])
            let blocks = try (0..<config.num_res_blocks).map {
                try CausalResidualBlock(next(index, "resnets.\($0)"), $0 == 0 ? inputs : outputs, outputs)
            }
            let halves = index < last && config.temperal_downsample[index]
            let down = index < last ? try CausalDownsample(next(index, "downsampler"), outputs, halvesFrames: halves) : nil
            let shortcut =
                residual ? try CausalShortcut(inputs, outputs, side: index < last ? 2 : 1, frames: halves ? 2 : 1, shrinks: true) : nil
            return Stage(blocks: blocks, down: down, shortcut: shortcut)
        }
        single = config.temperal_downsample.prefix(last).firstIndex(of: true) ?? last
        middle = try CausalMiddleBlock(weights.at("mid_block"), channels[last + 1])
        norm = try ChannelNorm(weights.at("norm_out"), channels[last + 1])
        output = try CausalConvolution3D(causal: weights.at("conv_out"), channels[last + 1], 2 * config.z_dim)
        moments = try CausalConvolution3D(root.at("quant_conv"), 2 * config.z_dim, 2 * config.z_dim, ConvolutionWindow())
    }

    func callAsFunction(_ graph: Graph, _ frames: Tensor, _ memory: TemporalCache) throws -> Tensor {
        let heads = try (0..<frames[3]).map { frame in
            let first = try input(graph, graph.slice(frames, axis: 3, frame..<frame + 1), memory)
            return try stages[..<single].reduce(first) { try $1(graph, $0, memory) }
        }
        let x = try stages[single...].reduce(graph.concat(heads, axis: 3)) { try $1(graph, $0, memory) }
        return try moments(graph, output(graph, graph.silu(norm(graph, middle(graph, x, memory))), memory), memory)
    }
}
