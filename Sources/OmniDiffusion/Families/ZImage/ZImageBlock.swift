import OmniTensor

/// Attention and feed-forward, each between two norms; with modulation both are scaled and gated by the time's embedding
/// (diffusers `ZImageTransformerBlock`).
struct ZImageBlock: Sendable {
    private let heads, head: Int
    private let query, key, value, output, gate, up, down: Linear
    private let queryNorm, keyNorm, attentionBefore, attentionAfter, feedBefore, feedAfter: RMSNorm
    private let modulation: Linear?

    init(_ config: ZImageConfig, _ weights: Weights, modulated: Bool) throws {
        let (dim, hidden) = (config.dim, config.hidden)
        (heads, head) = (config.n_heads, config.head)
        let (attention, feed) = (weights.at("attention"), weights.at("feed_forward"))
        query = try Linear(attention.at("to_q"), dim, dim)
        key = try Linear(attention.at("to_k"), dim, dim)
        value = try Linear(attention.at("to_v"), dim, dim)
        output = try Linear(attention.at("to_out.0"), dim, dim)
        queryNorm = try RMSNorm(attention.at("norm_q"), head, epsilon: 1e-5)
        keyNorm = try RMSNorm(attention.at("norm_k"), head, epsilon: 1e-5)
        gate = try Linear(feed.at("w1"), dim, hidden)
        down = try Linear(feed.at("w2"), hidden, dim)
        up = try Linear(feed.at("w3"), dim, hidden)
        attentionBefore = try RMSNorm(weights.at("attention_norm1"), dim, epsilon: config.norm_eps)
        attentionAfter = try RMSNorm(weights.at("attention_norm2"), dim, epsilon: config.norm_eps)
        feedBefore = try RMSNorm(weights.at("ffn_norm1"), dim, epsilon: config.norm_eps)
        feedAfter = try RMSNorm(weights.at("ffn_norm2"), dim, epsilon: config.norm_eps)
        modulation = modulated ? try Linear(weights.at("adaLN_modulation.0"), config.timeFeatures, 4 * dim, bias: true) : nil
    }

    /// Queries and keys are rotated by halves.
    static func order(_ name: String, _ outputs: Int, head: Int) -> [Int]? {
        let rotated = ["attention.to_q.weight", "attention.to_k.weight", "attention.norm_q.weight", "attention.norm_k.weight"]
        return rotated.contains { name.hasSuffix($0) } ? Rotation.halves(outputs, head: head) : nil
    }

    /// - Parameters:
    ///   - x: `[dim, tokens]`.
    ///   - sequences: tokens of each sequence in `x`, which add up.
    ///   - time: the time's embedding `[timeFeatures]`, for blocks with modulation.
    func callAsFunction(
        _ graph: Graph, _ x: Tensor, _ rotation: Rotation, _ sequences: [Int], time: Tensor?, _ precision: AttentionPrecision
    ) throws -> Tensor {
        let factors = try modulations(graph, time)
        var x = x
        let normed = try scaled(graph, attentionBefore(graph, x), factors?.attention.scale)
        let attended = try attentionAfter(graph, attention(graph, normed, rotation, sequences, precision))
        x = try graph.add(x, gated(graph, attended, factors?.attention.gate))
        let second = try scaled(graph, feedBefore(graph, x), factors?.feed.scale)
        let fed = try feedAfter(graph, feedForward(graph, second))
        return try graph.add(x, gated(graph, fed, factors?.feed.gate))
    }

    private func attention(_ graph: Graph, _ x: Tensor, _ rotation: Rotation, _ sequences: [Int], _ precision: AttentionPrecision) throws
        -> Tensor
    {
        func split(_ linear: Linear) throws -> Tensor { try graph.reshape(linear(graph, x), [head, heads, x[1]]) }
        func rotated(_ linear: Linear, _ norm: RMSNorm) throws -> Tensor {
            try rotation(graph, norm(graph, split(linear)))
        }
        let (queries, keys, values) = (try rotated(query, queryNorm), try rotated(key, keyNorm), try split(value))
        return try output(graph, graph.attention(query: queries, keys: keys, values: values, sequences: sequences, precision: precision))
    }

    /// Portion by portion, so that the wide inner states of all tokens never exist at once.
    private func feedForward(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.chunked(of: x, axis: 1, step: 256) { part in
            try down(graph, graph.swiGLU(gate: gate(graph, part), up: up(graph, part)))
        }
    }

    private typealias Factors = (attention: (scale: Tensor, gate: Tensor), feed: (scale: Tensor, gate: Tensor))

    private func modulations(_ graph: Graph, _ time: Tensor?) throws -> Factors? {
        guard let modulation, let time else { return nil }
        let all = try modulation(graph, time)
        let dim = all[0] / 4
        func part(_ index: Int) throws -> Tensor { try graph.slice(all, axis: 0, index * dim..<(index + 1) * dim) }
        return try (
            (graph.scale(part(0), plus: 1), graph.tanh(part(1))),
            (graph.scale(part(2), plus: 1), graph.tanh(part(3)))
        )
    }

    private func scaled(_ graph: Graph, _ x: Tensor, _ factor: Tensor?) throws -> Tensor {
        try factor.map { try graph.multiply(x, $0) } ?? x
    }
    private func gated(_ graph: Graph, _ x: Tensor, _ factor: Tensor?) throws -> Tensor { try scaled(graph, x, factor) }
}
