import CLlama

/// The layers that models are made of.
extension Graph {
    /// `weightᵀ · x + bias`: `x [in, tokens]`, `weight [in, out]`, `bias [out]`, result `[out, tokens]`.
    ///
    /// Tokens are taken in portions where the whole product would hold the lane too long.
    public func linear(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
        try require(weight.dimensions[2...] == [1, 1] && weight[0] == x[0], "linear", "weight \(weight.label) for \(x.label)")
        let plain = try multiplied(x, weight, bias: bias)
        let turned = try deltas[weight].reduce(plain) { sum, delta in
            let up = try delta.outputs.map { try slice(delta.up, axis: 1, $0) } ?? delta.up
            return try add(sum, scale(multiplied(multiplied(x, delta.down), up), by: delta.scale))
        }
        return try deltas.biases(of: weight).reduce(turned) { sum, delta in
            let change = try delta.outputs.map { try slice(delta.change, axis: 0, $0) } ?? delta.change
            return try add(sum, scale(change, by: delta.scale))
        }
    }

    private func multiplied(_ x: Tensor, _ weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
        try canMultiply(x, weight) ? product(x, weight, bias: bias) : portioned(x, weight, bias: bias)
    }

    /// By ggml's own product.
    private func portioned(_ x: Tensor, _ weight: Tensor, bias: Tensor?) throws -> Tensor {
        let whole = try chunked(of: x, axis: 1, cost: 2 * weight.count * x[2] * x[3]) { part in
            try node { ggml_mul_mat(context, weight.raw, part.raw) }
        }
        return try bias.map { try add(whole, $0) } ?? whole
    }

    /// Runs `body` on portions of `x` along `axis` and joins the results, along the same axis unless `target` says another.
    ///
    /// - Parameter cost: operations for each element along `axis`.
    public func chunked(of x: Tensor, axis: Int, cost: Int, joinedAlong target: Int? = nil, _ body: (Tensor) throws -> Tensor) throws
        -> Tensor
    {
        try chunked(of: x, axis: axis, step: max(16, nodeBudget / max(cost, 1)), joinedAlong: target, body)
    }

    /// The same with portions of about `step` elements, equally long but for one: no row is left alone, which another product would take.
    /// The first is as long as any.
    public func chunked(of x: Tensor, axis: Int, step: Int, joinedAlong target: Int? = nil, _ body: (Tensor) throws -> Tensor) throws
        -> Tensor
    {
        guard x[axis] > step + step / 2 else { return try body(x) }
        let count = (x[axis] + step / 2) / step
        try requirePlaces(count)
        let (length, longer) = x[axis].quotientAndRemainder(dividingBy: count)
        let parts = try (0..<count).map { part in
            let start = part * length + min(part, longer)
            return try body(slice(x, axis: axis, start..<start + length + (part < longer ? 1 : 0)))
        }
        return try concat(parts, axis: target ?? axis)
    }

    /// Rows of `table [features, words]` for `ids [tokens]`: `[features, tokens]`.
    public func embedding(_ table: Tensor, ids: Tensor) throws -> Tensor {
        try require(ids.type == .i32 && ids.shape.count == 1, "embedding", "ids \(ids.label) are no row of i32")
        return try node { ggml_get_rows(context, table.raw, ids.raw) }
    }

    /// Rotates the halves of each head against each other (arXiv:2104.09864): `x [head, heads, tokens]`.
    ///
    /// - Parameters:
    ///   - positions: `[4 · tokens]`, i32: the positions along the first axis for all tokens, then along the next ones.
    ///   - sections: pairs of features that turn with each axis; they sum to `head / 2`.
    ///   - divisors: `[head / 2]`: position over divisor is the angle of a pair, in radians.
    public func applyRoPE(_ x: Tensor, positions: Tensor, sections: [Int], divisors: Tensor) throws -> Tensor {
        try require(sections.count == 4 && sections.reduce(0, +) * 2 == x[0], "applyRoPE", "sections \(sections) for heads of \(x.label)")
        try require(positions.count == 4 * x[2] && positions.type == .i32, "applyRoPE", "positions \(positions.label) for \(x.label)")
        try require(divisors.count * 2 == x[0], "applyRoPE", "divisors \(divisors.label) for \(x.label)")
        var axes = sections.map(Int32.init)
        // A base of one leaves the angles to the divisors alone.
        return try node {
            ggml_rope_multi(
                context, x.raw, positions.raw, divisors.raw, Int32(x[0]), &axes, Int32(GGML_ROPE_TYPE_MROPE), 0, 1, 1, 0, 1, 32, 1)
        }
    }
}
