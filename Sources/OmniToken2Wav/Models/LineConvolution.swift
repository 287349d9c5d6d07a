import OmniTensor

/// A convolution along a line: `x [in, positions]` to as many positions.
struct LineConvolution: Sendable {
    private let kernel: Tensor
    private let bias: Tensor?
    private let outputs: Int
    private let window: LineWindow
    private let padding: LinePadding

    init(
        _ weights: Weights, _ inputs: Int, _ outputs: Int, taps: Int, dilation: Int = 1, padding: LinePadding = .zeros, biased: Bool = true
    ) throws {
        kernel = try weights.store.lineKernel(weights.prefix + "weight", taps: taps, inputs: inputs, outputs: outputs)
        bias = biased ? try weights("bias", outputs) : nil
        (self.outputs, self.padding) = (outputs, padding)
        window = .same(taps: taps, dilation: dilation)
    }

    /// What it takes without rounding it first.
    func inputType(_ graph: Graph) -> ElementType { graph.convolutionType(of: kernel) }

    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.conv1d(x, kernel: kernel, outputs: outputs, bias: bias, window: window, padding: padding)
    }
}
