import OmniTensor

/// Shift, scale and gate of a layer's input and output, `[dim]` each. All blocks of a kind share them.
struct Flux2KleinModulation {
    let shift, scale, gate: Tensor

    /// - Parameter parts: `[3 · count · dim]`, as the linear layer of the activated time gives them.
    static func split(_ graph: Graph, _ parts: Tensor, count: Int) throws -> [Flux2KleinModulation] {
        let dim = parts[0] / (3 * count)
        func row(_ index: Int) throws -> Tensor { try graph.slice(parts, axis: 0, index * dim..<(index + 1) * dim) }
        return try (0..<count).map { set in
            Flux2KleinModulation(shift: try row(3 * set), scale: try graph.scale(row(3 * set + 1), plus: 1), gate: try row(3 * set + 2))
        }
    }

    /// The layer's input: `x` normalized, scaled and shifted.
    func callAsFunction(_ graph: Graph, _ x: Tensor, epsilon: Float) throws -> Tensor {
        try graph.add(graph.multiply(graph.layerNorm(x, epsilon: epsilon), scale), shift)
    }
}

/// What all blocks of a step see besides.
struct Flux2KleinContext {
    /// Before attention and before the feed-forward layer, of double blocks.
    let picture, text: [Flux2KleinModulation]
    /// Of single blocks.
    let joint: Flux2KleinModulation
    let rotation: Rotation
    let sequence: Flux2KleinSequence
    let precision: AttentionPrecision

    /// Queries and keys `[head, heads, tokens]` are rotated; each sample attends to itself.
    func attended(_ graph: Graph, _ queries: Tensor, _ keys: Tensor, _ values: Tensor) throws -> Tensor {
        try graph.attention(
            query: rotation(graph, queries), keys: rotation(graph, keys), values: values, sequences: sequence.lengths, precision: precision)
    }
}

/// `silu(a) · b` of the halves of one product, then the way back.
struct Flux2KleinFeedForward: Sendable {
    private let up, down: Linear

    init(_ weights: Weights, _ config: Flux2KleinConfig) throws {
        up = try Linear(weights.at("linear_in"), config.dim, 2 * config.inner)
        down = try Linear(weights.at("linear_out"), config.inner, config.dim)
    }

    /// Portion by portion, so that the wide inner states of all tokens never exist at once.
    func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        try graph.chunked(of: x, axis: 1, step: 256) { part in try down(graph, Self.gated(graph, up(graph, part))) }
    }

    /// `[2 · inner, tokens]` to `[inner, tokens]`.
    static func gated(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        let inner = x[0] / 2
        return try graph.swiGLU(gate: graph.slice(x, axis: 0, 0..<inner), up: graph.slice(x, axis: 0, inner..<2 * inner))
    }
}
