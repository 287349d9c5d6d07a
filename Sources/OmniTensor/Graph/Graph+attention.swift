import CLlama

/// How attention rounds.
public enum AttentionPrecision: Sendable {
    /// f32 scores, keys and values: what the reference does.
    case exact
    /// Keys and values as f16, scores never stored: less memory.
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
    ///   - precision: with a mask or a bias always exact.
    /// - Returns: `[head · heads, tokens]`.
    public func attention(
        query: Tensor, keys: Tensor, values: Tensor, mask: Tensor? = nil, bias: Tensor? = nil, scale: Float? = nil, precision: AttentionPrecision
    ) throws -> Tensor {
        let (others, tokens) = (keys[2], query[2])
        try require(keys.dimensions == values.dimensions && keys[0] == query[0] && query[1] % keys[1] == 0 && query[3] == 1, "attention",
                    "query \(query.label), keys \(keys.label), values \(values.label)")
        if let mask {
            let fits = mask[0] == others && mask[1] == tokens && [1, query[1]].contains(mask[2]) && mask[3] == 1
            try require(fits && bias == nil, "attention", "mask \(mask.label) for \(query.label)")
        }
        if let bias { try require(bias.shape == [others], "attention", "bias \(bias.label) for \(keys.label)") }
        let scale = scale ?? 1 / Float(query[0]).squareRoot()
        let tall = try permute(query, [0, 2, 1, 3])
        let k = try permute(keys, [0, 2, 1, 3])
        let cost = 4 * query[0] * query[1] * others
        switch precision {
        case .flash where mask == nil && bias == nil:
            let (k16, v16) = try (cast(k, .f16), cast(permute(values, [0, 2, 1, 3]), .f16))
            let heads = try inPortions(of: tall, axis: 1, cost: cost, joinedAlong: 2) { part in
                try node { ggml_flash_attn_ext(context, part.raw, k16.raw, v16.raw, nil, scale, 0, 0) }
            }
            return try reshape(heads, [query[0] * query[1], tokens])
        default:
            let (whole, v) = try (contiguous(k), contiguous(permute(values, [1, 2, 0, 3])))
            var start = 0
            var biasRows: Tensor?
            let heads = try inPortions(of: tall, axis: 1, cost: max(cost, others * query[1] * 64), joinedAlong: 1) { part in
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
}
