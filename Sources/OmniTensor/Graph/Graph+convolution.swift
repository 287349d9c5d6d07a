import CLlama

/// The convolution over width, height and time of ggml's operations, for devices that our kernel does not run on.
extension Graph {
    /// Bytes of pixels that are gathered at once: nine times as many as there are would not fit where pictures are large.
    private static var gatheredBytes: Int { 128 << 20 }

    /// As ``conv3d(_:kernel:bias:window:past:)``: pixels under the kernel are gathered into vectors for each frame once, and multiplied
    /// with the kernel's matrix for each frame that it covers.
    ///
    /// - Parameter kernel: `[taps of a frame · in, out · depth]`, see ``WeightArrangement``.
    func gathered(_ x: Tensor, kernel: Tensor, bias: Tensor, window: ConvolutionWindow, past: FrameRing?) throws -> Tensor {
        let (inputs, outputs, taps) = (x[0], bias[0], window.size * window.size)
        let isWhole = kernel.shape == Tensor.trimmed([taps * inputs, outputs * window.depth]) && bias.shape == [outputs]
        try require(isWhole, "conv3d", "kernel \(kernel.label), bias \(bias.label) for \(x.label)")
        try require(x.type == .f32 && bias.type == .f32, "conv3d", "\(x.type) through \(kernel.type), a bias of \(bias.type)")
        if let past {
            let (ring, count) = (past.frames, past.frames[3])
            let fits = ring.dimensions[..<3] == x.dimensions[..<3] && ring.type == .f32 && (0..<count).contains(past.oldest)
            try require(fits && count <= window.before, "conv3d", "past \(ring.label) for \(x.label)")
        }
        let scale = window.doubles ? 2 : 1
        let border = window.padding + window.trailing - window.size
        let covers = scale * min(x[1], x[2]) + border >= 0 && x[3] + window.before >= window.depth
        try require(covers, "conv3d", "a kernel of \(window) is larger than \(x.label)")
        let (columns, rows) = ((scale * x[1] + border) / window.stride + 1, (scale * x[2] + border) / window.stride + 1)
        let all = try frames(x, before: window.before, past: past)
        let count = (all[3] - window.depth) / window.timeStride + 1
        let pixels = try planes(all, window)
        // Rows of all frames at once, as many as memory allows.
        // Of the kernel only the shape is read.
        let shape = try reshape(kernel, [window.size, window.size, inputs, outputs * window.depth])
        let rowBytes = MemoryLayout<Float>.size * taps * inputs * columns * all[3]
        let step = min(rows, max(1, Self.gatheredBytes / rowBytes))
        let parts = try stride(from: 0, to: rows, by: step).map { first in
            let vectors = try vectors(pixels, window, rows: first..<min(first + step, rows), of: rows, shape: shape)
            return try product(vectors, kernel, window, outputs: outputs, frames: count)
        }
        return try add(concat(parts, axis: 2), bias)
    }

    /// `x` and what was before it, zeros where nothing was.
    private func frames(_ x: Tensor, before: Int, past: FrameRing?) throws -> Tensor {
        guard before > 0 else { return x }
        guard let past else { return try padFrames(x, before: before) }
        let (ring, oldest) = (past.frames, past.oldest)
        var parts = [try slice(ring, axis: 3, oldest..<ring[3])]
        if oldest > 0 { parts.append(try slice(ring, axis: 3, 0..<oldest)) }
        return try padFrames(concat(parts + [x], axis: 3), before: before - ring[3])
    }

    /// `[channels, width, height, frames]` as `[width, height, channels, frames]` with its zeros round it; a kernel of one pixel takes
    /// pixels as they are.
    private func planes(_ x: Tensor, _ window: ConvolutionWindow) throws -> Tensor {
        if Self.isPointwise(window) { return try contiguous(x) }
        var planes = try contiguous(permute(x, [2, 0, 1, 3]))
        if window.doubles { planes = try node { ggml_upscale(context, planes.raw, 2, GGML_SCALE_MODE_NEAREST) } }
        let (first, last) = (Int32(window.padding), Int32(window.trailing))
        guard first > 0 || last > 0 else { return planes }
        return try node { ggml_pad_ext(context, planes.raw, first, last, first, last, 0, 0, 0, 0) }
    }

    private static func isPointwise(_ window: ConvolutionWindow) -> Bool {
        window.size == 1 && window.stride == 1 && window.padding == 0 && window.trailing == 0 && !window.doubles
    }

    /// The pixels under the kernel for some rows of the result: `[taps · in, columns, rows, frames]`.
    private func vectors(_ planes: Tensor, _ window: ConvolutionWindow, rows: Range<Int>, of all: Int, shape: Tensor) throws -> Tensor {
        if Self.isPointwise(window) { return try contiguous(slice(planes, axis: 2, rows)) }
        let seen = rows.lowerBound * window.stride..<(rows.upperBound - 1) * window.stride + window.size
        let lines = rows.count == all ? planes : try contiguous(slice(planes, axis: 1, seen))
        let step = Int32(window.stride)
        return try node { ggml_im2col(context, shape.raw, lines.raw, step, step, 0, 0, 1, 1, true, GGML_TYPE_F32) }
    }

    /// Sums over the frames that the kernel covers: `[out, columns, rows, frames]`.
    private func product(_ vectors: Tensor, _ kernel: Tensor, _ window: ConvolutionWindow, outputs: Int, frames: Int) throws -> Tensor {
        let terms = try (0..<window.depth).map { time in
            let matrix = try slice(kernel, axis: 1, time * outputs..<(time + 1) * outputs)
            let seen = try frames == vectors[3] ? vectors : stridedFrames(window.timeStride, from: time, count: frames, of: vectors)
            let rows = try reshape(contiguous(seen), [vectors[0], vectors[1] * vectors[2] * frames])
            return try node { ggml_mul_mat(context, matrix.raw, rows.raw) }
        }
        let sum = try terms.dropFirst().reduce(terms[0]) { try add($0, $1) }
        return try reshape(sum, [outputs, vectors[1], vectors[2], frames])
    }

    /// `count` frames, each `stride`th from `first` on: a view.
    private func stridedFrames(_ stride: Int, from first: Int, count: Int, of x: Tensor) throws -> Tensor {
        try require(first + (count - 1) * stride < x[3], "stridedFrames", "\(count) times every \(stride) of \(x.label) from \(first)")
        if stride == 1 { return try slice(x, axis: 3, first..<first + count) }
        let strides = x.raw.pointee.nb
        return try node {
            ggml_view_4d(
                context, x.raw, Int64(x[0]), Int64(x[1]), Int64(x[2]), Int64(count), strides.1, strides.2, strides.3 * stride,
                first * strides.3)
        }
    }
}
