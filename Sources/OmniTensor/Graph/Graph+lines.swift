import CLlama
import CTensor

/// What a convolution along a line covers.
public struct LineWindow: Sendable, Equatable {
    public var taps: Int
    /// Positions from tap to tap.
    public var dilation: Int
    /// Zeros before the first position and behind the last.
    public var before, after: Int

    public init(taps: Int, dilation: Int = 1, before: Int = 0, after: Int = 0) {
        (self.taps, self.dilation, self.before, self.after) = (taps, dilation, before, after)
    }

    /// As many positions as go in come out (an odd number of taps).
    public static func same(taps: Int, dilation: Int = 1) -> LineWindow {
        let reach = dilation * (taps - 1)
        return LineWindow(taps: taps, dilation: dilation, before: reach / 2, after: reach - reach / 2)
    }
}

/// What lies beyond the ends of a line.
public enum LinePadding: Sendable, Equatable {
    case zeros
    /// The line mirrored at its last position, which is not repeated.
    case reflect
    /// The last position, again and again.
    case replicate
}

/// Layers over sounds `[channels, positions]`.
extension Graph {
    /// A convolution along the positions: `[out, positions + before + after − dilation · (taps − 1)]`.
    ///
    /// - Parameters:
    ///   - x: `[in, positions]`, f32 or of ``convolutionType(of:)``.
    ///   - kernel: loaded with ``WeightOptions/lineKernels``.
    ///   - bias: `[out]`; none where nil.
    public func conv1d(_ x: Tensor, kernel: Tensor, outputs: Int, bias: Tensor?, window: LineWindow, padding: LinePadding = .zeros) throws
        -> Tensor
    {
        guard padding == .zeros else {
            let padded = try padLine(x, before: window.before, after: window.after, padding)
            let inside = LineWindow(taps: window.taps, dilation: window.dilation)
            return try conv1d(padded, kernel: kernel, outputs: outputs, bias: bias, window: inside)
        }
        let positions = x[1] + window.before + window.after - window.dilation * (window.taps - 1)
        try require(window.taps > 0 && window.dilation > 0 && positions > 0, "conv1d", "\(window) for \(x.label)")
        try require(x.dimensions[2...] == [1, 1] && bias.map { $0.shape == [outputs] && $0.type == .f32 } ?? true, "conv1d", x.label)
        guard let kernels else {
            return try gatheredLine(x, kernel: kernel, outputs: outputs, bias: bias, window: window, positions: positions)
        }
        let rounds = kernel.type == .bf16
        let shape = WeightArrangement.panelShape(taps: window.taps, inputs: x[0], outputs: outputs, group: rounds ? 2 : 1, for: kernels)
        try require(
            kernel.shape == Tensor.trimmed(shape) && x[0] <= Int(CT_MOST_INPUTS) && !(rounds && x[0] % 2 == 1), "conv1d",
            "kernel \(kernel.label) for \(x.label)")
        let source = try contiguous(cast(x, kernel.type))
        var geometry = ct_convolution()
        (geometry.channels, geometry.width, geometry.height, geometry.frames) = (Int32(x[0]), Int32(x[1]), 1, 1)
        (geometry.out_channels, geometry.out_height) = (Int32(outputs), 1)
        (geometry.size, geometry.depth, geometry.stride, geometry.time_stride) = (Int32(window.taps), 1, 1, 1)
        (geometry.dilation, geometry.left, geometry.rounds) = (Int32(window.dilation), Int32(window.before), rounds ? 1 : 0)
        let start = try bias ?? input([outputs], [Float](repeating: 0, count: outputs))
        return try inStrips(
            [outputs, positions], sources: [source, kernel, start], work: rounds ? .roundedConvolution : .convolution, units: positions,
            granularity: 32, operations: 2 * Double(window.taps * x[0] * outputs)
        ) { Self.convolveLine(geometry, kernels, $0) }
    }

    private static func convolveLine(_ geometry: ct_convolution, _ kernels: KernelVariant, _ columns: Range<Int>) -> KernelStrip.Body {
        var part = geometry
        // The strip is a line of its own that begins so many columns later.
        (part.out_width, part.left) = (Int32(columns.count), geometry.left - Int32(columns.lowerBound))
        let offset = columns.lowerBound * Int(geometry.out_channels)
        return { [part] sources, output, share, shares in
            withUnsafePointer(to: part) {
                ct_convolve(
                    kernels.index, $0, sources[0], nil, sources[1], sources.floats(2),
                    output.assumingMemoryBound(to: Float.self) + offset, 0, 1, share, shares)
            }
        }
    }

    /// By ggml's operations: what is under the kernel is gathered and multiplied.
    private func gatheredLine(_ x: Tensor, kernel: Tensor, outputs: Int, bias: Tensor?, window: LineWindow, positions: Int) throws -> Tensor
    {
        try require(kernel.shape == Tensor.trimmed([window.taps * x[0], outputs]), "conv1d", "kernel \(kernel.label) for \(x.label)")
        var line = try turned(cast(x, .f32))
        if window.before > 0 || window.after > 0 {
            line = try node { ggml_pad_ext(context, line.raw, Int32(window.before), Int32(window.after), 0, 0, 0, 0, 0, 0) }
        }
        // Of the kernel only the shape is read.
        let shape = try reshape(kernel, [window.taps, x[0], outputs])
        let vectors = try node { ggml_im2col(context, shape.raw, line.raw, 1, 0, 0, 0, Int32(window.dilation), 0, false, GGML_TYPE_F32) }
        let sums = try linear(reshape(vectors, [window.taps * x[0], positions]), kernel)
        return try bias.map { try add(sums, $0) } ?? sums
    }

    /// The transpose of a convolution along the positions, at `stride` times the rate: `[out, stride · positions]`.
    ///
    /// Each phase of the result is a convolution of its own; they are computed as one with `stride` times as many outputs, which lie side by side.
    ///
    /// - Parameters:
    ///   - kernel: loaded with ``WeightOptions/lineKernels`` as ``LineKernel/transposed(stride:)``.
    ///   - taps: of the kernel as published; `taps − stride` is even, and half of it is cut off each end.
    public func convTransposed1d(_ x: Tensor, kernel: Tensor, outputs: Int, bias: Tensor, taps: Int, stride: Int) throws -> Tensor {
        try require(bias.shape == [outputs], "convTransposed1d", "a bias of \(bias.label)")
        let phases = try LinePhases(taps: taps, stride: stride)
        let all = try conv1d(
            x, kernel: kernel, outputs: outputs * stride, bias: contiguous(self.repeat(bias, [outputs * stride])), window: phases.window)
        return try reshape(all, [outputs, stride * x[1]])
    }

    /// A line with more positions at its ends, at most as many as it has, less one where it is mirrored.
    public func padLine(_ x: Tensor, before: Int, after: Int, _ padding: LinePadding) throws -> Tensor {
        if before == 0, after == 0 { return x }
        let most = padding == .reflect ? x[1] - 1 : .max
        try require(before >= 0 && after >= 0 && max(before, after) <= most, "padLine", "\(before) and \(after) more of \(x.label)")
        if padding == .zeros {
            let source = try contiguous(x)
            return try node { ggml_pad_ext(context, source.raw, 0, 0, Int32(before), Int32(after), 0, 0, 0, 0) }
        }
        let last = x[1] - 1
        let places = (-before..<x[1] + after).map { place -> Int32 in
            switch padding {
            case .reflect: Int32(place < 0 ? -place : place > last ? 2 * last - place : place)
            default: Int32(min(max(place, 0), last))
            }
        }
        return try embedding(contiguous(x), ids: input([places.count], integers: places))
    }
}
