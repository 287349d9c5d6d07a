import Foundation
import OmniTensor

/// Rotary inputs of a clip.
struct WanRotation {
    let positions: Tensor
    let sections: [Int]
    let divisors: Tensor

    init(_ graph: Graph, _ config: WanConfig, _ grid: WanGrid) throws {
        positions = try graph.input([4 * grid.count], integers: grid.positions)
        sections = config.sections + [0]
        let divisors = Self.divisors(config)
        self.divisors = try graph.input([divisors.count], divisors)
    }

    /// Angle of pair `j` of an axis with `n` pairs is position over `10000^(j/n)`.
    static func divisors(_ config: WanConfig) -> [Float] {
        config.sections.flatMap { pairs in (0..<pairs).map { Float(pow(10_000, Double($0) / Double(pairs))) } }
    }
}

/// What a block sees besides the clip.
struct WanContext {
    /// `[dim, texts]`, its last rows standing for all the empty places of the text where there are any.
    let text: Tensor
    /// Added to the scores of each text.
    let textBias: Tensor?
    /// `[dim, patches of the picture]`.
    let picture: Tensor?
    let rotation: WanRotation
    /// For each patch which of the times is its own; nil where all have the same.
    let timeOf: Tensor?
}

/// Attention over the clip, over the text, and a feed-forward layer; the first and the last are shifted, scaled and gated by the
/// time (diffusers `WanTransformerBlock`).
struct WanBlock: Sendable {
    private let heads, head: Int
    private let epsilon: Float
    let own, text: WanAttention
    private let textNorm: LayerNorm?
    private let up, down: Linear
    /// `[dim, 6]`.
    private let table: Tensor

    init(_ config: WanConfig, _ weights: Weights) throws {
        let dim = config.dim
        (heads, head, epsilon) = (config.heads, config.head, config.epsilon)
        own = try WanAttention(config, weights.at("attn1"), pictures: nil)
        text = try WanAttention(config, weights.at("attn2"), pictures: config.added_kv_proj_dim)
        textNorm = config.cross_attn_norm ?? true ? try LayerNorm(weights.at("norm2"), dim, epsilon: epsilon) : nil
        up = try Linear(weights.at("ffn.net.0.proj"), dim, config.ffn_dim, bias: true)
        down = try Linear(weights.at("ffn.net.2"), config.ffn_dim, dim, bias: true)
        table = try weights("scale_shift_table", dim, 6)
    }

    /// Where a checkpoint has the features of a head as neighbouring pairs, ggml's rotation wants first all firsts, then all
    /// seconds. Queries and keys are both reordered, so their products stay the same.
    static func order(_ name: String, _ outputs: Int, head: Int) -> [Int]? {
        let paired = ["attn1.to_q.", "attn1.to_k.", "attn1.norm_q.", "attn1.norm_k."]
        guard paired.contains(where: { name.contains($0) }), name.hasPrefix("blocks."), outputs % head == 0 else { return nil }
        return (0..<outputs).map { output in
            let (start, place) = (output / head * head, output % head)
            return start + (place < head / 2 ? 2 * place : 2 * (place - head / 2) + 1)
        }
    }

    /// - Parameters:
    ///   - x: `[dim, patches]`.
    ///   - time: what the times say, `[dim, 6, times]`.
    func callAsFunction(_ graph: Graph, _ x: Tensor, time: Tensor, _ context: WanContext, _ precision: AttentionPrecision) throws -> Tensor {
        let time = try graph.add(time, table)
        func part(_ index: Int, plus offset: Float = 0) throws -> Tensor {
            let rows = try graph.reshape(graph.contiguous(graph.slice(time, axis: 1, index..<index + 1)), [time[0], time[2]])
            return try WanTime.spread(graph, offset == 0 ? rows : graph.scale(rows, plus: offset), context.timeOf)
        }
        var x = x
        let first = try WanTime.modulate(graph, x, scale: part(1, plus: 1), shift: part(0), epsilon)
        x = try graph.add(x, graph.multiply(own(graph, first, rotation: context.rotation, precision), part(2)))
        x = try graph.add(x, text(graph, textNorm.map { try $0(graph, x) } ?? x, context, precision))
        let last = try WanTime.modulate(graph, x, scale: part(4, plus: 1), shift: part(3), epsilon)
        return try graph.add(x, graph.multiply(feedForward(graph, last, precision), part(5)))
    }

    /// Portion by portion, so that the wide inner states of all patches never exist at once.
    func feedForward(_ graph: Graph, _ x: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
        try graph.inPortions(of: x, axis: 1, step: 256) { part in
            try down(graph, graph.gelu(up(graph, part), precision: precision))
        }
    }
}

/// Scales and shifts that come from the time.
enum WanTime {
    /// `rows [dim, times]` as `[dim]`, or for each patch the row of its time: `[dim, patches]`.
    static func spread(_ graph: Graph, _ rows: Tensor, _ timeOf: Tensor?) throws -> Tensor {
        guard let timeOf else { return try graph.reshape(rows, [rows[0]]) }
        return try graph.embedding(rows, ids: timeOf)
    }

    static func modulate(_ graph: Graph, _ x: Tensor, scale: Tensor, shift: Tensor, _ epsilon: Float) throws -> Tensor {
        try graph.add(graph.multiply(graph.layerNorm(x, epsilon: epsilon), scale), shift)
    }
}
