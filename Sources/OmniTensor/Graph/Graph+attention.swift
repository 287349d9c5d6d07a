import CLlama
import CTensor

/// How attention rounds.
public enum AttentionPrecision: Sendable {
    /// f32 scores, keys and values: what the reference does.
    case exact
    /// Keys and values as f16, scores never stored: less memory. Both products in bf16 where our own kernel computes and that is faster.
    case flash
}

extension Graph {
    /// softmax(scale · keys · query + mask + bias) · values for each head (arXiv:1706.03762).
    ///
    /// - Parameters:
    ///   - query: `[head, heads, tokens]`.
    ///   - keys: `[head, groups, others]`, `heads` a multiple of `groups`: neighbouring heads share keys and values.
    ///   - values: `[head, groups, others]`.
    ///   - mask: `[others, tokens]`, or `[others, tokens, heads]`.
    ///   - bias: `[others]`, for all tokens alike; not together with a mask.
    ///   - scale: 1/√head where nil.
    ///   - precision: always exact with a mask or a bias where ggml computes, and where our own kernel does without bf16.
    /// - Returns: `[head · heads, tokens]`.
    public func attention(
        query: Tensor, keys: Tensor, values: Tensor, mask: Tensor? = nil, bias: Tensor? = nil, scale: Float? = nil,
        precision: AttentionPrecision
    ) throws -> Tensor {
        let (others, tokens) = (keys[2], query[2])
        try require(
            keys.dimensions == values.dimensions && keys[0] == query[0] && query[1] % keys[1] == 0 && query[3] == 1, "attention",
            "query \(query.label), keys \(keys.label), values \(values.label)")
        if let mask {
            let fits = mask[0] == others && mask[1] == tokens && [1, query[1]].contains(mask[2]) && mask[3] == 1
            try require(fits && bias == nil, "attention", "mask \(mask.label) for \(query.label)")
        }
        if let bias { try require(bias.shape == [others], "attention", "bias \(bias.label) for \(keys.label)") }
        let scale = scale ?? 1 / Float(query[0]).squareRoot()
        if canAttend(query, keys, values) {
            let seen = try mask ?? bias.map { try reshape($0, [others, 1, 1]) }
            return try attended(
                query, keys, values, mask: seen.map(contiguous), scale: scale, rounds: precision == .flash && kernels?.rounds == true)
        }
        let tall = try permute(query, [0, 2, 1, 3])
        let k = try permute(keys, [0, 2, 1, 3])
        let cost = 4 * query[0] * query[1] * others
        switch try precision == .flash && mask == nil && bias == nil && flashes(query, keys) {
        case true:
            let (k16, v16) = try (cast(k, .f16), cast(permute(values, [0, 2, 1, 3]), .f16))
            let heads = try chunked(of: tall, axis: 1, cost: cost, joinedAlong: 2) { part in
                try node { ggml_flash_attn_ext(context, part.raw, k16.raw, v16.raw, nil, scale, 0, 0) }
            }
            return try reshape(heads, [query[0] * query[1], tokens])
        case false:
            let (whole, v) = try (contiguous(k), contiguous(permute(values, [1, 2, 0, 3])))
            var start = 0
            var biasRows: Tensor?
            let heads = try chunked(of: tall, axis: 1, cost: max(cost, others * query[1] * 64), joinedAlong: 1) { part in
                defer { start += part[1] }
                // In one piece: ggml's fast product takes nothing else.
                let queries = try contiguous(part)
                let scores = try node { ggml_mul_mat(context, whole.raw, queries.raw) }
                var rows = try mask.map { try contiguous(slice($0, axis: 1, start..<start + part[1])) }
                if let bias {
                    // The first portion is the longest; all rows are alike.
                    biasRows = try biasRows ?? self.repeat(bias, [others, part[1]])
                    rows = try biasRows.map { try slice($0, axis: 1, 0..<part[1]) }
                }
                let weights = try node { ggml_soft_max_ext(context, scores.raw, rows?.raw, scale, 0) }
                return try node { ggml_mul_mat(context, v.raw, weights.raw) }
            }
            return try reshape(permute(heads, [0, 2, 1, 3]), [query[0] * query[1], tokens])
        }
    }

    /// Whether the device has a flash attention for heads of that length; where not, scores are computed there rather than all of it on
    /// the CPU.
    private func flashes(_ query: Tensor, _ keys: Tensor) throws -> Bool {
        if backend.isHost { return true }
        func shaped(_ tensor: Tensor, _ type: ElementType) throws -> Tensor { try placeholder([tensor[0], tensor[2], tensor[1]], type) }
        let (q, k, v) = try (shaped(query, .f32), shaped(keys, .f16), shaped(keys, .f16))
        return backend.supports(try node { ggml_flash_attn_ext(context, q.raw, k.raw, v.raw, nil, 1, 0, 0) })
    }

    /// Attention within sequences that lie one after the other: tokens see their own only.
    ///
    /// - Parameters:
    ///   - query: `[head, heads, tokens]`; `keys` and `values` `[head, groups, tokens]`.
    ///   - sequences: tokens of each, which add up.
    /// - Returns: `[head · heads, tokens]`.
    public func attention(query: Tensor, keys: Tensor, values: Tensor, sequences: [Int], precision: AttentionPrecision) throws -> Tensor {
        try require(sequences.reduce(0, +) == query[2] && query[2] == keys[2], "attention", "sequences of \(sequences) for \(query.label)")
        var start = 0
        let parts = try sequences.map { length in
            defer { start += length }
            func part(_ tensor: Tensor) throws -> Tensor { try slice(tensor, axis: 2, start..<start + length) }
            return try attention(query: part(query), keys: part(keys), values: part(values), precision: precision)
        }
        return try concat(parts, axis: 1)
    }

    /// Whether ``attended(_:_:_:mask:scale:rounds:)`` takes them: rows of features in one piece.
    func canAttend(_ query: Tensor, _ keys: Tensor, _ values: Tensor) -> Bool {
        kernels != nil && query[0] <= Int(CT_MOST_HEAD)
            && [query, keys, values].allSatisfy { $0.type == .f32 && $0.raw.pointee.nb.0 == MemoryLayout<Float>.size }
    }

    /// By a kernel of ours, which keeps no scores. Nodes are strips of tokens.
    private func attended(_ query: Tensor, _ keys: Tensor, _ values: Tensor, mask: Tensor?, scale: Float, rounds: Bool) throws -> Tensor {
        guard let kernels else { throw TensorError.shape(operation: "attention", reason: "no kernels on this device") }
        let (head, heads, tokens, others) = (query[0], query[1], query[2], keys[2])
        var geometry = geometry(query, keys, values, scale: scale, rounds: rounds)
        if let mask {
            let strides = mask.raw.pointee.nb
            (geometry.mask_step, geometry.mask_pitch) = (mask[2] > 1 ? strides.2 : 0, mask[1] > 1 ? strides.1 : 0)
        }
        return try inStrips(
            [head * heads, tokens], sources: [query, keys, values] + (mask.map { [$0] } ?? []),
            work: rounds ? .roundedAttention : .attention, units: tokens,
            granularity: 32, operations: 4 * Double(head * heads * others)
        ) { [geometry] in Self.attend(geometry, kernels, $0, masked: mask != nil) }
    }

    /// Without a mask.
    func geometry(_ query: Tensor, _ keys: Tensor, _ values: Tensor, scale: Float, rounds: Bool) -> ct_attention {
        func stride(_ axis: KeyPath<(Int, Int, Int, Int), Int>, _ tensor: Tensor) -> Int { tensor.raw.pointee.nb[keyPath: axis] }
        return ct_attention(
            head: Int32(query[0]), heads: Int32(query[1]), groups: Int32(keys[1]), keys: Int32(keys[2]), scale: scale,
            query_step: stride(\.1, query), query_pitch: stride(\.2, query), key_step: stride(\.1, keys), key_pitch: stride(\.2, keys),
            value_step: stride(\.1, values), value_pitch: stride(\.2, values), mask_step: 0, mask_pitch: 0,
            out_pitch: query[0] * query[1] * MemoryLayout<Float>.size, rounds: rounds ? 1 : 0)
    }

    private static func attend(_ geometry: ct_attention, _ kernels: KernelVariant, _ rows: Range<Int>, masked: Bool) -> KernelStrip.Body {
        { sources, output, part, parts in
            withUnsafePointer(to: geometry) {
                ct_attend(
                    kernels.index, $0, sources[0], sources[1], sources[2], masked ? sources[3] : nil, output, Int32(rows.lowerBound),
                    Int32(rows.count), part, parts)
            }
        }
    }
}
