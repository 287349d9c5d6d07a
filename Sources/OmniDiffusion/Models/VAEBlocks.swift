import OmniTensor

/// Norm, activation, convolution, twice, and the input on top (diffusers `ResnetBlock2D`).
struct ResnetBlock: Sendable {
    private let first, second: GroupNorm
    private let convolution, last: Convolution
    private let shortcut: Convolution?

    init(_ weights: Weights, _ inputs: Int, _ outputs: Int, groups: Int) throws {
        first = try GroupNorm(weights.at("norm1"), groups: groups, channels: inputs)
        convolution = try Convolution(weights.at("conv1"), inputs, outputs)
        second = try GroupNorm(weights.at("norm2"), groups: groups, channels: outputs)
        last = try Convolution(weights.at("conv2"), outputs, outputs)
        shortcut = inputs == outputs ? nil : try Convolution(weights.at("conv_shortcut"), inputs, outputs, ConvolutionWindow())
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        let inner = try first(graph, x, into: convolution)
        let outer = try second(graph, inner, into: last)
        return try graph.add(outer, shortcut.map { try $0(graph, x) } ?? x)
    }
}

/// Attention over all pixels with one head, and the input on top.
struct PixelAttention: Sendable {
    private let norm: GroupNorm
    private let query, key, value, output: Linear

    init(_ weights: Weights, channels: Int, groups: Int) throws {
        norm = try GroupNorm(weights.at("group_norm"), groups: groups, channels: channels)
        query = try Linear(weights.at("to_q"), channels, channels, bias: true)
        key = try Linear(weights.at("to_k"), channels, channels, bias: true)
        value = try Linear(weights.at("to_v"), channels, channels, bias: true)
        output = try Linear(weights.at("to_out.0"), channels, channels, bias: true)
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
        let (channels, pixels) = (x[0], x[1] * x[2])
        let tokens = try graph.reshape(norm(graph, x), [channels, pixels])
        func head(_ linear: Linear) throws -> Tensor { try graph.reshape(linear(graph, tokens), [channels, 1, pixels]) }
        let attended = try graph.attention(query: head(query), keys: head(key), values: head(value), precision: precision)
        return try graph.add(graph.reshape(output(graph, attended), [channels, x[1], x[2]]), x)
    }
}

/// Block, attention, block.
struct MiddleBlock: Sendable {
    private let first, last: ResnetBlock
    private let attention: PixelAttention?

    init(_ weights: Weights, channels: Int, groups: Int, attention: Bool) throws {
        first = try ResnetBlock(weights.at("resnets.0"), channels, channels, groups: groups)
        last = try ResnetBlock(weights.at("resnets.1"), channels, channels, groups: groups)
        self.attention = attention ? try PixelAttention(weights.at("attentions.0"), channels: channels, groups: groups) : nil
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
        let inner = try first(graph, x)
        return try last(graph, attention.map { try $0(graph, inner, precision) } ?? inner)
    }
}
