import CLlama
import CTensor

/// What a convolution over width, height and time covers.
public struct ConvolutionWindow: Sendable, Equatable {
    /// Pixels along both sides of the kernel, and frames.
    public var size: Int
    public var depth: Int
    public var stride: Int
    public var timeStride: Int
    /// Zeros left and above.
    public var padding: Int
    /// Zeros right and below.
    public var trailing: Int
    /// Frames before the first one that it reaches back to.
    public var before: Int
    /// Each pixel counts as two by two of the same.
    public var doubles: Bool

    public init(
        size: Int = 1, depth: Int = 1, stride: Int = 1, timeStride: Int = 1, padding: Int = 0, trailing: Int? = nil, before: Int = 0,
        doubles: Bool = false
    ) {
        (self.size, self.depth, self.stride, self.timeStride) = (size, depth, stride, timeStride)
        (self.padding, self.trailing, self.before, self.doubles) = (padding, trailing ?? padding, before, doubles)
    }

    public var taps: Int { size * size * depth }
}

/// The last frames before a chunk, `[channels, width, height, frames]`, in a ring.
public struct FrameRing {
    public var frames: Tensor
    /// Which of them is the oldest.
    public var oldest: Int

    public init(_ frames: Tensor, oldest: Int = 0) {
        self.frames = frames
        self.oldest = oldest
    }
}

/// Layers over videos `[channels, width, height, frames]`, a picture being a video of one frame.
extension Graph {
    /// A convolution that never looks ahead: `[out, width', height', frames']`.
    ///
    /// Nothing is gathered or padded on the CPU: a kernel of ours (`CTensor`) reads the pixels where they lie. It is cut into nodes of some
    /// rows, so that none holds the lane too long. On other devices ggml's operations do it (``gathered(_:kernel:bias:window:past:)``).
    ///
    /// - Parameters:
    ///   - x: of ``convolutionType(of:)``. Sums and the result are f32.
    ///   - kernel: packed while loading, see ``WeightOptions/packsKernels``.
    ///   - bias: `[out]`.
    ///   - past: what was before `x`; zeros where it does not reach.
    public func conv3d(_ x: Tensor, kernel: Tensor, bias: Tensor, window: ConvolutionWindow, past: FrameRing? = nil) throws -> Tensor {
        let (outputs, scale) = (bias[0], window.doubles ? 2 : 1)
        let rounds = kernel.type == .bf16
        guard let kernels else { return try gathered(x, kernel: kernel, bias: bias, window: window, past: past) }
        let shape = WeightArrangement.panelShape(taps: window.taps, inputs: x[0], outputs: outputs, group: rounds ? 2 : 1, for: kernels)
        try require(
            kernel.shape == Tensor.trimmed(shape) && bias.shape == [outputs] && x[0] <= Int(CT_MOST_INPUTS) && !(rounds && x[0] % 2 == 1),
            "conv3d", "kernel \(kernel.label), bias \(bias.label) for \(x.label)")
        try require(x.type == kernel.type && (rounds ? kernels.rounds : x.type == .f32), "conv3d", "\(x.type) through \(kernel.type)")
        try require(bias.type == .f32, "conv3d", "a bias of \(bias.type)")
        if let past {
            let frames = past.frames
            let fits =
                frames.dimensions[..<3] == x.dimensions[..<3] && frames.isContiguous && frames.type == x.type
                && (0..<frames[3]).contains(past.oldest)
            try require(fits, "conv3d", "past \(frames.label) for \(x.label)")
        }
        let border = window.padding + window.trailing - window.size
        let (columns, rows) = ((scale * x[1] + border) / window.stride + 1, (scale * x[2] + border) / window.stride + 1)
        let frames = (x[3] + window.before - window.depth) / window.timeStride + 1
        try require(
            scale * min(x[1], x[2]) + border >= 0 && x[3] + window.before >= window.depth, "conv3d",
            "a kernel of \(window) is larger than \(x.label)")
        let geometry = ct_convolution(
            channels: Int32(x[0]), width: Int32(x[1]), height: Int32(x[2]), frames: Int32(x[3]), out_channels: Int32(outputs),
            out_width: Int32(columns),
            out_height: Int32(rows), size: Int32(window.size), depth: Int32(window.depth), stride: Int32(window.stride),
            time_stride: Int32(window.timeStride),
            padding: Int32(window.padding), before: Int32(window.before), past: Int32(past?.frames[3] ?? 0),
            oldest: Int32(past?.oldest ?? 0), doubles: window.doubles ? 1 : 0, rounds: rounds ? 1 : 0, dilation: 0, left: 0)
        let sources = try [contiguous(x), kernel, bias] + (past.map { [$0.frames] } ?? [])
        return try inStrips(
            [outputs, columns, rows, frames], sources: sources, work: rounds ? .roundedConvolution : .convolution, units: rows * frames,
            operations: 2 * Double(window.taps * x[0] * outputs * columns)
        ) { Self.convolve(geometry, kernels, $0) }
    }

    /// The type that ``conv3d(_:kernel:bias:window:past:)`` takes pixels in.
    public func convolutionType(of kernel: Tensor) -> ElementType { kernels == nil ? .f32 : kernel.type }

    private static func convolve(_ geometry: ct_convolution, _ kernels: KernelVariant, _ rows: Range<Int>) -> KernelStrip.Body {
        { sources, output, part, parts in
            withUnsafePointer(to: geometry) {
                ct_convolve(
                    kernels.index, $0, sources[0], $0.pointee.past > 0 ? sources[3] : nil, sources[1], sources.floats(2),
                    output.assumingMemoryBound(to: Float.self),
                    Int32(rows.lowerBound), Int32(rows.count), part, parts)
            }
        }
    }

    /// Frames `[…, frames]` one after the other from each part in turn: the first of all, then the second of all.
    public func interleaveFrames(_ parts: [Tensor]) throws -> Tensor {
        guard let first = parts.first else { throw TensorError.shape(operation: "interleaveFrames", reason: "nothing to join") }
        let (frame, count) = (first[0] * first[1] * first[2], first[3])
        let joined = try concat(parts.map { try reshape($0, [frame, 1, count]) }, axis: 1)
        return try reshape(joined, [first[0], first[1], first[2], count * parts.count])
    }

    /// Each second pixel of both sides, from `column` and `row` on: a view.
    public func stridedSpatially(_ x: Tensor, column: Int, row: Int) throws -> Tensor {
        try require(
            x[1] % 2 == 0 && x[2] % 2 == 0 && (0...1).contains(column) && (0...1).contains(row), "stridedSpatially",
            "\(x.label) from \(column), \(row)")
        let strides = x.raw.pointee.nb
        return try node {
            ggml_view_4d(
                context, x.raw, Int64(x[0]), Int64(x[1] / 2), Int64(x[2] / 2), Int64(x[3]), 2 * strides.1, 2 * strides.2, strides.3,
                column * strides.1 + row * strides.2)
        }
    }

    /// Each `stride`th frame from `first` on: a view.
    public func stridedFrames(_ stride: Int, from first: Int, of x: Tensor) throws -> Tensor {
        try require(stride > 0 && x[3] % stride == 0 && first < stride, "stridedFrames", "every \(stride) of \(x.label) from \(first)")
        let strides = x.raw.pointee.nb
        return try node {
            ggml_view_4d(
                context, x.raw, Int64(x[0]), Int64(x[1]), Int64(x[2]), Int64(x[3] / stride), strides.1, strides.2, strides.3 * stride,
                first * strides.3)
        }
    }

    /// Each `stride`th channel from `first` on, in one piece.
    public func stridedChannels(_ stride: Int, from first: Int, of x: Tensor) throws -> Tensor {
        try require(stride > 0 && x[0] % stride == 0 && first < stride, "stridedChannels", "every \(stride) of \(x.label) from \(first)")
        let source = try reshape(x, [stride, x[0] / stride * x[1], x[2], x[3]])
        return try reshape(slice(source, axis: 0, first..<first + 1), [x[0] / stride, x[1], x[2], x[3]])
    }

    /// Frames of zeros before the first.
    public func padFrames(_ x: Tensor, before count: Int) throws -> Tensor {
        if count == 0 { return x }
        let source = try contiguous(x)
        return try node { ggml_pad_ext(context, source.raw, 0, 0, 0, 0, 0, 0, Int32(count), 0) }
    }

    /// `factor` neighbouring values of each row become their mean: `[n, …]` to `[n / factor, …]`.
    public func averagePool(_ x: Tensor, _ factor: Int) throws -> Tensor {
        try require(factor > 0 && x[0] % factor == 0, "averagePool", "\(factor) of \(x.label)")
        if factor == 1 { return x }
        let rows = try reshape(x, [factor, x.count / factor])
        let sums = try node { ggml_sum_rows(context, rows.raw) }
        return try reshape(scale(sums, by: 1 / Float(factor)), [x[0] / factor, x[1], x[2], x[3]])
    }
}
