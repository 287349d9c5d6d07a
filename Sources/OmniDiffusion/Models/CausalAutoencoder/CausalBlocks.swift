import OmniTensor

/// A convolution over frames that looks at earlier ones only: `x [in, width, height, frames]` to `[out, …]`.
struct CausalConvolution3D: Sendable {
    private let kernel, bias: Tensor
    private let window: ConvolutionWindow
    /// Its name among a video's memories.
    private let place: String

    init(_ weights: Weights, _ inputs: Int, _ outputs: Int, _ window: ConvolutionWindow) throws {
        kernel = try weights.packed(inputs, outputs, taps: window.taps)
        bias = try weights("bias", outputs)
        self.window = window
        place = weights.prefix
    }

    /// 3×3×3 with zeros round each frame: what the blocks are made of.
    init(causal weights: Weights, _ inputs: Int, _ outputs: Int) throws {
        try self.init(weights, inputs, outputs, ConvolutionWindow(size: 3, depth: 3, padding: 1, before: 2))
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws -> Tensor {
        let x = try graph.cast(x, graph.convolutionType(of: kernel))
        guard window.before > 0 else { return try graph.conv3d(x, kernel: kernel, bias: bias, window: window) }
        let past = try memory.past(graph, place, before: x, frames: window.before)
        let result = try graph.conv3d(x, kernel: kernel, bias: bias, window: window, past: past)
        try memory.keep(graph, place, x, frames: window.before, after: result)
        return result
    }

    /// Keeps `x` for the next chunk without computing anything.
    func remember(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws {
        try memory.keep(graph, place, graph.cast(x, graph.convolutionType(of: kernel)), frames: window.before, after: x)
    }
}

/// Each pixel's channels over their length, times √channels and a weight for each.
struct ChannelNorm: Sendable {
    private let weight: Tensor
    private let epsilon: Float

    init(_ weights: Weights, _ channels: Int) throws {
        weight = try weights("gamma", channels)
        // The reference takes lengths under 1e-12 for that.
        epsilon = 1e-24 / Float(channels)
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor { try graph.rmsNorm(x, weight, epsilon: epsilon) }
}

/// Norm, activation, convolution, twice, and the input on top (diffusers `CausalResidualBlock`).
struct CausalResidualBlock: Sendable {
    private let first, second: ChannelNorm
    private let convolution, last: CausalConvolution3D
    private let shortcut: CausalConvolution3D?

    init(_ weights: Weights, _ inputs: Int, _ outputs: Int) throws {
        first = try ChannelNorm(weights.at("norm1"), inputs)
        convolution = try CausalConvolution3D(causal: weights.at("conv1"), inputs, outputs)
        second = try ChannelNorm(weights.at("norm2"), outputs)
        last = try CausalConvolution3D(causal: weights.at("conv2"), outputs, outputs)
        shortcut = inputs == outputs ? nil : try CausalConvolution3D(weights.at("conv_shortcut"), inputs, outputs, ConvolutionWindow())
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws -> Tensor {
        let inner = try convolution(graph, graph.silu(first(graph, x)), memory)
        let outer = try last(graph, graph.silu(second(graph, inner)), memory)
        return try graph.add(outer, shortcut.map { try $0(graph, x, memory) } ?? x)
    }
}

/// Attention over the pixels of each frame with one head, and the input on top.
struct CausalPixelAttention: Sendable {
    private let norm: ChannelNorm
    private let inputs, output: CausalConvolution3D

    init(_ weights: Weights, _ channels: Int) throws {
        norm = try ChannelNorm(weights.at("norm"), channels)
        inputs = try CausalConvolution3D(weights.at("to_qkv"), channels, 3 * channels, ConvolutionWindow())
        output = try CausalConvolution3D(weights.at("proj"), channels, channels, ConvolutionWindow())
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws -> Tensor {
        let (channels, pixels) = (x[0], x[1] * x[2])
        let projected = try inputs(graph, norm(graph, x), memory)
        let frames = try (0..<x[3]).map { frame in
            let all = try graph.slice(projected, axis: 3, frame..<frame + 1)
            func part(_ index: Int) throws -> Tensor {
                try graph.reshape(graph.slice(all, axis: 0, index * channels..<(index + 1) * channels), [channels, 1, pixels])
            }
            let attended = try graph.attention(query: part(0), keys: part(1), values: part(2), precision: .exact)
            return try graph.reshape(attended, [channels, x[1], x[2], 1])
        }
        return try graph.add(output(graph, graph.concat(frames, axis: 3), memory), x)
    }
}

/// Block, attention, block.
struct CausalMiddleBlock: Sendable {
    private let first, last: CausalResidualBlock
    private let attention: CausalPixelAttention

    init(_ weights: Weights, _ channels: Int) throws {
        first = try CausalResidualBlock(weights.at("resnets.0"), channels, channels)
        attention = try CausalPixelAttention(weights.at("attentions.0"), channels)
        last = try CausalResidualBlock(weights.at("resnets.1"), channels, channels)
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ memory: TemporalCache) throws -> Tensor {
        try last(graph, attention(graph, first(graph, x, memory), memory), memory)
    }
}
