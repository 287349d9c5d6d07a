import OmniTensor

/// `x [in, width, height]` to `[out, width', height']`.
struct Convolution: Sendable {
    private let kernel, bias: Tensor
    private let window: ConvolutionWindow

    init(_ weights: Weights, _ inputs: Int, _ outputs: Int, _ window: ConvolutionWindow = ConvolutionWindow(size: 3, padding: 1)) throws {
        kernel = try weights.packed(inputs, outputs, taps: window.taps)
        bias = try weights("bias", outputs)
        self.window = window
    }

    /// What it takes without rounding it first.
    func inputType(_ graph: Graph) -> ElementType { graph.convolutionType(of: kernel) }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.conv3d(graph.cast(x, inputType(graph)), kernel: kernel, bias: bias, window: window)
    }
}

extension Weights {
    /// The kernel `weight`, as it was packed while loading.
    func packed(_ inputs: Int, _ outputs: Int, taps: Int) throws -> Tensor {
        try store.packedKernel(prefix + "weight", taps: taps, inputs: inputs, outputs: outputs)
    }
}

struct GroupNorm: Sendable {
    let groups: Int
    let weight: Tensor
    let bias: Tensor

    init(_ weights: Weights, groups: Int, channels: Int) throws {
        self.groups = groups
        weight = try weights("weight", channels)
        bias = try weights("bias", channels)
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.groupNorm(x, groups: groups, weight: weight, bias: bias, epsilon: 1e-6)
    }

    /// Through the activation and into `next`, in one go.
    func callAsFunction(_ graph: Graph, _ x: Tensor, into next: Convolution) throws -> Tensor {
        let type = next.inputType(graph)
        return try next(graph, graph.groupNorm(x, groups: groups, weight: weight, bias: bias, epsilon: 1e-6, activated: true, type: type))
    }
}

struct RMSNorm: Sendable {
    let weight: Tensor
    let epsilon: Float

    init(_ weights: Weights, _ features: Int, epsilon: Float) throws {
        weight = try weights("weight", features)
        self.epsilon = epsilon
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor { try graph.rmsNorm(x, weight, epsilon: epsilon) }
}

/// Each row less its mean over its deviation, then scaled and shifted.
struct LayerNorm: Sendable {
    let weight: Tensor
    let bias: Tensor
    let epsilon: Float

    init(_ weights: Weights, _ features: Int, epsilon: Float) throws {
        weight = try weights("weight", features)
        bias = try weights("bias", features)
        self.epsilon = epsilon
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.add(graph.multiply(graph.layerNorm(x, epsilon: epsilon), weight), bias)
    }
}
