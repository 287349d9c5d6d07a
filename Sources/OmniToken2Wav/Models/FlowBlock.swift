import OmniTensor

/// What all blocks of one evaluation see besides.
struct FlowContext {
    /// Frames of each sequence.
    let sequences: [Int]
    /// Of the first head, by the places of frames in their sequence.
    let rotation: PairRotation
    /// ``Modulations``, `[6 · hidden, layers]` in one piece.
    let modulations: Tensor
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
        query = try Linear(weights.at("attn.to_q"), hidden, inner, bias: true)
        key = try Linear(weights.at("attn.to_k"), hidden, inner, bias: true)
        value = try Linear(weights.at("attn.to_v"), hidden, inner, bias: true)
        output = try Linear(weights.at("attn.to_out.0"), inner, hidden, bias: true)
        up = try Linear(weights.at("ff.ff.0"), hidden, wide, bias: true)
        down = try Linear(weights.at("ff.ff.3"), wide, hidden, bias: true)
    }

    /// `x [hidden, tokens]`, sequence after sequence.
    func callAsFunction(_ graph: Graph, _ x: Tensor, _ context: FlowContext) throws -> Tensor {
        let hidden = config.hidden
        func modulation(_ part: Int) throws -> Tensor {
            let start = (6 * layer + part) * hidden
            return try graph.slice(context.modulations, axis: 0, start..<start + hidden)
        }
        func modulated(_ x: Tensor, _ first: Int) throws -> Tensor {
            try graph.modulatedNorm(x, scale: modulation(first + 1), shift: modulation(first), epsilon: FlowConfig.epsilon)
        }
        let x = try graph.addGated(x, gate: modulation(2), attention(graph, modulated(x, 0), context))
        let wide = try graph.gelu(up(graph, modulated(x, 3)), precision: .exact)
        return try graph.addGated(x, gate: modulation(5), down(graph, wide))
    }

    private func attention(_ graph: Graph, _ x: Tensor, _ context: FlowContext) throws -> Tensor {
        func heads(_ x: Tensor) throws -> Tensor { try graph.reshape(x, [config.head, config.heads, x[1]]) }
        func turned(_ x: Tensor) throws -> Tensor {
            // The first head alone has positions, as the model was trained.
            try heads(graph.rotatePairs(x, context.rotation))
        }
        // Blocks are short: rounding them would take longer than it saves.
        return try output(
            graph,
            graph.attention(
                query: turned(query(graph, x)), keys: turned(key(graph, x)), values: heads(value(graph, x)), sequences: context.sequences,
                blocks: window, precision: .exact))
    }
}

extension FlowConfig {
    /// Of norms.
    static let epsilon: Float = 1e-6
}
