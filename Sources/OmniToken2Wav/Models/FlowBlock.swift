import OmniTensor

/// What all blocks of one evaluation see besides.
struct FlowContext {
    /// Frames of each sequence.
    let sequences: [Int]
    /// Places of frames in their sequence, `[tokens]`.
    let positions: Tensor
    /// Of the pairs of the first head.
    let divisors: Tensor
    /// ``Modulations``, `[6 · hidden, layers]` in one piece.
    let modulations: Tensor
    let precision: AttentionPrecision
}

/// A block of the transformer: shifted, scaled and gated by the time (transformers' `DiTDecoderLayer`).
struct FlowBlock: Sendable {
    private let layer: Int
    private let config: FlowConfig
    private let window: BlockWindow
    private let query, key, value, output, up, down: Linear

    init(_ config: FlowConfig, _ weights: Weights, layer: Int) throws {
        (self.config, self.layer) = (config, layer)
        window = BlockWindow(
            size: config.block, back: config.lookBack.contains(layer) ? 1 : 0, ahead: config.lookAhead.contains(layer) ? 1 : 0)
        let (hidden, inner, wide) = (config.hidden, config.inner, config.widening * config.hidden)
        query = try Linear(weights.at("attn.to_q"), hidden, inner)
        key = try Linear(weights.at("attn.to_k"), hidden, inner)
        value = try Linear(weights.at("attn.to_v"), hidden, inner)
        output = try Linear(weights.at("attn.to_out.0"), inner, hidden)
        up = try Linear(weights.at("ff.ff.0"), hidden, wide)
        down = try Linear(weights.at("ff.ff.3"), wide, hidden)
    }

    /// `x [hidden, tokens]`, sequence after sequence.
    func callAsFunction(_ graph: Graph, _ x: Tensor, _ context: FlowContext) throws -> Tensor {
        let hidden = config.hidden
        func modulation(_ part: Int) throws -> Tensor {
            let start = (6 * layer + part) * hidden
            return try graph.slice(context.modulations, axis: 0, start..<start + hidden)
        }
        func modulated(_ x: Tensor, _ first: Int) throws -> Tensor {
            let normal = try graph.layerNorm(x, epsilon: FlowConfig.epsilon)
            return try graph.add(graph.multiply(normal, modulation(first + 1)), modulation(first))
        }
        let attended = try graph.multiply(attention(graph, modulated(x, 0), context), modulation(2))
        let x = try graph.add(x, attended)
        let wide = try graph.gelu(up(graph, modulated(x, 3)), precision: .exact)
        return try graph.add(x, graph.multiply(down(graph, wide), modulation(5)))
    }

    private func attention(_ graph: Graph, _ x: Tensor, _ context: FlowContext) throws -> Tensor {
        func heads(_ x: Tensor) throws -> Tensor { try graph.reshape(x, [config.head, config.heads, x[1]]) }
        func turned(_ x: Tensor) throws -> Tensor {
            // The first head alone has positions, as the model was trained.
            try heads(graph.rotatePairs(x, positions: context.positions, divisors: context.divisors))
        }
        return try output(
            graph,
            graph.attention(
                query: turned(query(graph, x)), keys: turned(key(graph, x)), values: heads(value(graph, x)), sequences: context.sequences,
                blocks: window, precision: context.precision))
    }
}

extension FlowConfig {
    /// Of norms.
    static let epsilon: Float = 1e-6
}
