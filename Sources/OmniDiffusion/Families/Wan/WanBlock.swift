import OmniTensor

/// What a block sees besides the clip.
struct WanContext {
    /// `[dim, texts]`, its last rows standing for all the empty places of the text where there are any.
    let text: Tensor
    /// Added to the scores of each text.
    let textBias: Tensor?
    /// `[dim, patches of the picture]`.
    let picture: Tensor?
    let rotation: Rotation
    /// For each patch which of the times is its own; nil where all have the same.
    let timeOf: Tensor?
}

/// Attention over the clip, over the text, and a feed-forward layer; the first and the last are shifted, scaled and gated by the
/// time (diffusers `WanTransformerBlock`).
struct WanBlock: Sendable {
    private let heads, head: Int
    /// Features of the feed-forward layer's inner states.
    private let inner: Int
    private let epsilon: Float
    let own, text: WanAttention
    private let textNorm: LayerNorm?
    private let up, down: Linear
    /// `[dim, 6]`.
    private let table: Tensor

    init(_ config: WanConfig, _ weights: Weights) throws {
        let dim = config.dim
        (heads, head, inner, epsilon) = (config.heads, config.head, config.ffn_dim, config.epsilon)
        own = try WanAttention(config, weights.at("attn1"), pictures: nil)
        text = try WanAttention(config, weights.at("attn2"), pictures: config.added_kv_proj_dim)
        textNorm = config.cross_attn_norm ?? true ? try LayerNorm(weights.at("norm2"), dim, epsilon: epsilon) : nil
        up = try Linear(weights.at("ffn.net.0.proj"), dim, config.ffn_dim, bias: true)
        down = try Linear(weights.at("ffn.net.2"), config.ffn_dim, dim, bias: true)
        table = try weights("scale_shift_table", dim, 6)
    }

    /// Queries and keys of the attention over the clip itself are rotated by halves.
    static func order(_ name: String, _ outputs: Int, head: Int) -> [Int]? {
        let rotated = ["attn1.to_q.", "attn1.to_k.", "attn1.norm_q.", "attn1.norm_k."]
        return rotated.contains { name.contains($0) } && name.hasPrefix("blocks.") ? Rotation.halves(outputs, head: head) : nil
    }

    /// - Parameters:
    ///   - x: `[dim, patches]`.
    ///   - time: what the times say, `[dim, 6, times]`.
    func callAsFunction(_ graph: Graph, _ x: Tensor, time: Tensor, _ context: WanContext, _ precision: AttentionPrecision) throws -> Tensor
    {
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

    /// Portion by portion, so that the wide inner states of all patches never exist at once. Of a long clip a 64th at a time, as far as
    /// one node does not hold the lane for long: thousands of portions would be tens of thousands of nodes.
    func feedForward(_ graph: Graph, _ x: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
        try graph.chunked(of: x, axis: 1, step: max(256, min(x[1] / 64, (1 << 24) / inner))) { part in
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
