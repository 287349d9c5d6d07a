import CLlama

/// Views, copies and joins. None of them computes.
extension Graph {
    /// The same elements under another shape; `tensor` must lie in one piece.
    public func reshape(_ tensor: Tensor, _ shape: [Int]) throws -> Tensor {
        try require(
            (1...4).contains(shape.count) && shape.reduce(1, *) == tensor.count, "reshape",
            "\(tensor.label) has not the elements of \(shape)")
        let source = try contiguous(tensor)
        let s = shape.map(Int64.init)
        return try node {
            switch s.count {
            case 1: ggml_reshape_1d(context, source.raw, s[0])
            case 2: ggml_reshape_2d(context, source.raw, s[0], s[1])
            case 3: ggml_reshape_3d(context, source.raw, s[0], s[1], s[2])
            default: ggml_reshape_4d(context, source.raw, s[0], s[1], s[2], s[3])
            }
        }
    }

    /// Axis `i` of `tensor` becomes axis `order[i]` of the result, which is a view.
    public func permute(_ tensor: Tensor, _ order: [Int]) throws -> Tensor {
        try require(order.sorted() == [0, 1, 2, 3], "permute", "\(order) is no order of four axes")
        return try node { ggml_permute(context, tensor.raw, Int32(order[0]), Int32(order[1]), Int32(order[2]), Int32(order[3])) }
    }

    /// A copy in one piece, or `tensor` itself where it already is.
    public func contiguous(_ tensor: Tensor) throws -> Tensor {
        tensor.isContiguous ? tensor : try node { ggml_cont(context, tensor.raw) }
    }

    /// Elements `range` along `axis`, as a view.
    public func slice(_ tensor: Tensor, axis: Int, _ range: Range<Int>) throws -> Tensor {
        let fits = (0..<4).contains(axis) && range.lowerBound >= 0 && range.upperBound <= tensor[axis] && !range.isEmpty
        try require(fits, "slice", "\(range) of axis \(axis) of \(tensor.label)")
        if range.count == tensor[axis] { return tensor }
        var shape = tensor.dimensions.map(Int64.init)
        shape[axis] = Int64(range.count)
        let raw = tensor.raw.pointee.nb
        var strides = [raw.0, raw.1, raw.2, raw.3]
        let offset = range.lowerBound * strides[axis]
        // Axes of length one at the end follow what is left, so that ggml sees one piece where it is one.
        for last in stride(from: 3, to: 0, by: -1) {
            guard shape[last...].allSatisfy({ $0 == 1 }) else { break }
            for index in last...3 { strides[index] = strides[index - 1] * Int(shape[index - 1]) }
        }
        return try node {
            ggml_view_4d(context, tensor.raw, shape[0], shape[1], shape[2], shape[3], strides[1], strides[2], strides[3], offset)
        }
    }

    /// `parts` one after the other along `axis`. Joined in pairs, so that many parts are not copied over and over.
    public func concat(_ parts: [Tensor], axis: Int) throws -> Tensor {
        guard var level = Optional(parts), let first = parts.first else {
            throw TensorError.shape(operation: "concat", reason: "nothing to join")
        }
        for part in parts {
            let fits = (0..<4).allSatisfy { $0 == axis || part[$0] == first[$0] } && part.type == first.type
            try require(fits, "concat", "\(part.label) does not continue \(first.label) along axis \(axis)")
        }
        while level.count > 1 {
            level = try stride(from: 0, to: level.count, by: 2).map { index in
                guard index + 1 < level.count else { return level[index] }
                return try node { ggml_concat(context, level[index].raw, level[index + 1].raw, Int32(axis)) }
            }
        }
        return level[0]
    }

    /// `tensor` repeated until it has `shape`, a multiple of its own along each axis.
    public func `repeat`(_ tensor: Tensor, _ shape: [Int]) throws -> Tensor {
        let whole = shape + Array(repeating: 1, count: max(0, 4 - shape.count))
        try require(whole.count == 4 && (0..<4).allSatisfy { whole[$0] % tensor[$0] == 0 }, "repeat", "\(tensor.label) to \(shape)")
        return try node { ggml_repeat_4d(context, tensor.raw, Int64(whole[0]), Int64(whole[1]), Int64(whole[2]), Int64(whole[3])) }
    }

    /// The same values as `type`.
    public func cast(_ tensor: Tensor, _ type: ElementType) throws -> Tensor {
        tensor.type == type ? tensor : try node { ggml_cast(context, tensor.raw, type.raw) }
    }
}
