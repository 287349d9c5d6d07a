import OmniTensor

/// Attention with queries and keys normalized over all heads together (diffusers `WanAttention`).
struct WanAttention: Sendable {
    private let heads, head: Int
    private let query, key, value, output: Linear
    private let queryNorm, keyNorm: RMSNorm
    private let pictures: Pictures?

    /// Keys and values of an input picture, attended apart from the text's.
    private struct Pictures: Sendable {
        let key, value: Linear
        let keyNorm: RMSNorm
    }

    /// - Parameter pictures: features of an input picture's patches; nil where the model looks at none.
    init(_ config: WanConfig, _ weights: Weights, pictures: Int?) throws {
        let dim = config.dim
        (heads, head) = (config.heads, config.head)
        query = try Linear(weights.at("to_q"), dim, dim, bias: true)
        key = try Linear(weights.at("to_k"), dim, dim, bias: true)
        value = try Linear(weights.at("to_v"), dim, dim, bias: true)
        output = try Linear(weights.at("to_out.0"), dim, dim, bias: true)
        queryNorm = try RMSNorm(weights.at("norm_q"), dim, epsilon: config.epsilon)
        keyNorm = try RMSNorm(weights.at("norm_k"), dim, epsilon: config.epsilon)
        self.pictures = try pictures.map { features in
            try Pictures(
                key: Linear(weights.at("add_k_proj"), features, dim, bias: true),
                value: Linear(weights.at("add_v_proj"), features, dim, bias: true),
                keyNorm: RMSNorm(weights.at("norm_added_k"), dim, epsilon: config.epsilon))
        }
    }

    /// Over the clip itself, `x [dim, patches]`.
    func callAsFunction(_ graph: Graph, _ x: Tensor, rotation: Rotation, _ precision: AttentionPrecision) throws -> Tensor {
        func rotated(_ linear: Linear, _ norm: RMSNorm) throws -> Tensor {
            try rotation(graph, split(graph, norm(graph, linear(graph, x))))
        }
        let attended = try graph.attention(
            query: rotated(query, queryNorm), keys: rotated(key, keyNorm), values: split(graph, value(graph, x)), precision: precision)
        return try output(graph, attended)
    }

    /// Over the text, and over an input picture.
    func callAsFunction(_ graph: Graph, _ x: Tensor, _ context: WanContext, _ precision: AttentionPrecision) throws -> Tensor {
        let queries = try split(graph, queryNorm(graph, query(graph, x)))
        let keys = try split(graph, keyNorm(graph, key(graph, context.text)))
        var attended = try graph.attention(
            query: queries, keys: keys, values: split(graph, value(graph, context.text)), bias: context.textBias, precision: precision)
        if let pictures, let picture = context.picture {
            let keys = try split(graph, pictures.keyNorm(graph, pictures.key(graph, picture)))
            let values = try split(graph, pictures.value(graph, picture))
            attended = try graph.add(attended, graph.attention(query: queries, keys: keys, values: values, precision: precision))
        }
        return try output(graph, attended)
    }

    private func split(_ graph: Graph, _ x: Tensor) throws -> Tensor { try graph.reshape(x, [head, heads, x[1]]) }
}
