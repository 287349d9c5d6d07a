import CLlama

/// Layers over pictures `[channels, width, height]`. With channels fastest a pixel is one piece of memory, a convolution is a
/// product of matrices, and scales for each channel repeat along whole rows.
extension Graph {
    /// A convolution of `x [channels, width, height]`: `[out, width', height']`.
    ///
    /// The pixels under the kernel are gathered into one vector for each place, then multiplied as a matrix. Taken in strips
    /// of rows, so that these vectors stay in the cache and no node holds the lane too long.
    ///
    /// - Parameters:
    ///   - kernel: `[channels · size · size, out]`, channels fastest, then columns, then rows.
    ///   - bias: `[out]`.
    ///   - size: width and height of the kernel.
    ///   - padding: zeros on each side.
    public func conv2d(_ x: Tensor, kernel: Tensor, bias: Tensor, size: Int, stride: Int = 1, padding: Int = 0) throws -> Tensor {
        let (length, out) = (kernel[0], kernel[1])
        try require(length == x[0] * size * size && kernel[2] == 1 && x[3] == 1 && bias.shape == [out] && stride > 0, "conv2d",
                    "kernel \(kernel.label) of size \(size), bias \(bias.label) for \(x.label)")
        try require(x[1] + 2 * padding >= size && x[2] + 2 * padding >= size, "conv2d", "a kernel of size \(size) is larger than \(x.label)")
        let padded = try contiguous(pad(x, left: padding, right: padding, top: padding, bottom: padding))
        let (columns, rows) = ((padded[1] - size) / stride + 1, (padded[2] - size) / stride + 1)
        let width = padded[1]
        let strip = min(rows, max(1, rows / Self.strips, min(Self.nodeBudget / (2 * length * out * columns), Self.stripElements / (length * columns))))
        let pixels = try input([size * size * columns * strip], integers: Self.pixels(size, stride, columns: columns, rows: strip, width: width))
        let parts = try Swift.stride(from: 0, to: rows, by: strip).map { row in
            let taken = min(strip, rows - row)
            let source = try reshape(slice(padded, axis: 2, row * stride..<(row + taken - 1) * stride + size), [x[0], width * ((taken - 1) * stride + size)])
            let places = try slice(pixels, axis: 0, 0..<size * size * columns * taken)
            let vectors = size == 1 && stride == 1 ? source : try reshape(embedding(source, ids: places), [length, columns * taken])
            let product = try node { ggml_mul_mat(context, kernel.raw, vectors.raw) }
            return try reshape(add(product, bias), [out, columns, taken])
        }
        return try concat(parts, axis: 2)
    }

    /// For each place of a strip the pixels under the kernel, counted from the strip's first.
    private static func pixels(_ size: Int, _ stride: Int, columns: Int, rows: Int, width: Int) -> [Int32] {
        var places: [Int32] = []
        places.reserveCapacity(size * size * columns * rows)
        for row in 0..<rows {
            for column in 0..<columns {
                let first = row * stride * width + column * stride
                for y in 0..<size { for x in 0..<size { places.append(Int32(first + y * width + x)) } }
            }
        }
        return places
    }

    /// Most strips of a convolution, which bounds its nodes.
    private static var strips: Int { 64 }
    /// Elements of a strip's vectors: 8 MiB.
    private static var stripElements: Int { 2 << 20 }

    /// Channels of `x [channels, width, height]` normalized in groups over all pixels (arXiv:1803.08494), then scaled and
    /// shifted.
    public func groupNorm(_ x: Tensor, groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) throws -> Tensor {
        let (channels, pixels) = (x[0], x[1] * x[2])
        try require(groups > 0 && channels % groups == 0 && x[3] == 1, "groupNorm", "\(groups) groups of \(x.label)")
        try require(weight.shape == [channels] && bias.shape == [channels], "groupNorm", "\(weight.label), \(bias.label) for \(x.label)")
        let size = channels / groups
        // Which channel is in which group, as a matrix: a product with it sums over groups with all threads.
        let members = try input([channels, groups], (0..<groups).flatMap { group in (0..<channels).map { $0 / size == group ? 1 : 0 } })
        func means(_ values: Tensor) throws -> Tensor {
            let sums = try node { ggml_mul_mat(context, members.raw, values.raw) }
            let turned = try contiguous(permute(sums, [1, 0, 2, 3]))
            let total = try node { ggml_sum_rows(context, turned.raw) }
            return try scale(total, by: 1 / Float(size * pixels))
        }
        func spread(_ values: Tensor) throws -> Tensor { try reshape(self.repeat(values, [size, groups]), [channels]) }
        let flat = try reshape(x, [channels, pixels])
        let mean = try spread(means(flat))
        let centred = try node { ggml_sub(context, flat.raw, mean.raw) }
        let variance = try means(node { ggml_sqr(context, centred.raw) })
        let deviation = try spread(node { try ggml_sqrt(context, scale(variance, plus: epsilon).raw) })
        let factor = try node { ggml_div(context, weight.raw, deviation.raw) }
        return try reshape(add(multiply(centred, factor), bias), [channels, x[1], x[2]])
    }
}
