import CLlama

/// Functions of each element, and what is known of a whole axis.
extension Graph {
    /// sin(x), x in radians.
    public func sin(_ x: Tensor) throws -> Tensor { try each("sin", x) { ggml_sin(context, $0) } }

    /// eˣ.
    public func exp(_ x: Tensor) throws -> Tensor { try each("exp", x) { ggml_exp(context, $0) } }

    /// The natural logarithm; x > 0.
    public func log(_ x: Tensor) throws -> Tensor { try each("log", x) { ggml_log(context, $0) } }

    /// √x; x ≥ 0.
    public func sqrt(_ x: Tensor) throws -> Tensor { try each("sqrt", x) { ggml_sqrt(context, $0) } }

    /// `x` within `range`.
    public func clamp(_ x: Tensor, _ range: ClosedRange<Float>) throws -> Tensor {
        // ggml's own works in place: what else reads `x` would see the result.
        let copy = try scale(x)
        return try node { ggml_clamp(context, copy.raw, range.lowerBound, range.upperBound) }
    }

    /// max(x, 0).
    public func relu(_ x: Tensor) throws -> Tensor { try each("relu", x) { ggml_relu(context, $0) } }

    /// 1 / (1 + e⁻ˣ).
    public func sigmoid(_ x: Tensor) throws -> Tensor { try each("sigmoid", x) { ggml_sigmoid(context, $0) } }

    /// `a − b`; `b` is repeated where its axes are shorter.
    public func subtract(_ a: Tensor, _ b: Tensor) throws -> Tensor {
        try broadcasts("subtract", a, b)
        return try node { ggml_sub(context, a.raw, b.raw) }
    }

    /// eˣ over the sum of all of them along `axis` (0 or 1).
    public func softmax(_ x: Tensor, axis: Int) throws -> Tensor {
        try alongRows("softmax", x, axis: axis) { rows in try node { ggml_soft_max(context, rows.raw) } }
    }

    /// The mean along `axis` (0 or 1), which gets the length 1; of `x` times `weights`, of the same shape and a sum of 1, where there are any.
    public func mean(_ x: Tensor, weights: Tensor? = nil, axis: Int) throws -> Tensor {
        try require(weights.map { $0.dimensions == x.dimensions } ?? true, "mean", "weights \(weights?.label ?? "") for \(x.label)")
        let values = try weights.map { try multiply(x, $0) } ?? x
        return try alongRows("mean", values, axis: axis) { rows in
            let sums = try node { ggml_sum_rows(context, rows.raw) }
            return weights == nil ? try scale(sums, by: 1 / Float(rows[0])) : sums
        }
    }

    /// The standard deviation from `mean` along `axis` (0 or 1), which gets the length 1: over all elements, not less one.
    ///
    /// - Parameters:
    ///   - weights: as in ``mean(_:weights:axis:)``.
    ///   - floor: the least that the variance counts as.
    public func deviation(_ x: Tensor, from mean: Tensor, weights: Tensor? = nil, floor: Float, axis: Int) throws -> Tensor {
        let distance = try subtract(x, mean)
        let variance = try self.mean(multiply(distance, distance), weights: weights, axis: axis)
        return try sqrt(clamp(variance, floor...Float.greatestFiniteMagnitude))
    }

    private func each(_ operation: String, _ x: Tensor, _ make: (UnsafeMutablePointer<ggml_tensor>) -> UnsafeMutablePointer<ggml_tensor>?)
        throws
        -> Tensor
    {
        try require(x.type == .f32, operation, "of \(x.type)")
        let source = try contiguous(x)
        return try node { make(source.raw) }
    }

    /// ggml's functions of rows, also where the rows lie across.
    private func alongRows(_ operation: String, _ x: Tensor, axis: Int, _ body: (Tensor) throws -> Tensor) throws -> Tensor {
        try require((0...1).contains(axis) && x.type == .f32, operation, "along axis \(axis) of \(x.label)")
        try require(x.dimensions[2...] == [1, 1], operation, x.label)
        if axis == 0 { return try body(contiguous(x)) }
        return try turned(body(turned(x)))
    }

    /// Rows as columns, in one piece.
    func turned(_ x: Tensor) throws -> Tensor {
        // Where one side is one long only the shape changes: ggml takes a permuted view for one piece, and then again not.
        if x[0] == 1 || x[1] == 1 { return try reshape(x, [x[1], x[0]]) }
        return try contiguous(permute(x, [1, 0, 2, 3]))
    }
}
