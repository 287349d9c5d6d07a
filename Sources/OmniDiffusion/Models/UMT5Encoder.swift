import Foundation
import OmniTensor

/// UMT5's encoder (arXiv:2304.09151; reference: transformers `UMT5EncoderModel`). Positions are told by a bias on the scores
/// of each layer, which depends on the distance of two tokens; the scores are not scaled.
struct UMT5Encoder: TextEncoder {
    /// `config.json`.
    struct Config: Decodable, Sendable {
        let d_model: Int
        let d_kv: Int
        let d_ff: Int
        let num_layers: Int
        let num_heads: Int
        let vocab_size: Int
        let relative_attention_num_buckets: Int
        let relative_attention_max_distance: Int
        let layer_norm_epsilon: Float
        let feed_forward_proj: String?
    }

    private struct Layer: Sendable {
        let before, after: RMSNorm
        let query, key, value, output, gate, up, down: Linear
        /// `[heads, buckets]`.
        let distances: Tensor
    }

    let config: Config
    let precision: AttentionPrecision
    private let embedding: Tensor
    private let layers: [Layer]
    private let last: RMSNorm

    init(_ config: Config, _ store: WeightStore, precision: AttentionPrecision) throws {
        if let kind = config.feed_forward_proj, kind != "gated-gelu" {
            throw DiffusionError.unsupported("a UMT5 text encoder with \(kind) layers")
        }
        guard config.relative_attention_num_buckets >= 4, config.relative_attention_max_distance > config.relative_attention_num_buckets / 4
        else {
            throw DiffusionError.unsupported("a UMT5 text encoder with \(config.relative_attention_num_buckets) kinds of distance")
        }
        self.config = config
        self.precision = precision
        let (width, inner) = (config.d_model, config.num_heads * config.d_kv)
        let root = Weights(store)
        embedding = try root(store.contains(Self.shared) ? Self.shared : Self.own, width, config.vocab_size)
        layers = try (0..<config.num_layers).map { index in
            let layer = root.at("encoder.block.\(index).layer")
            let (attention, feed) = (layer.at("0.SelfAttention"), layer.at("1.DenseReluDense"))
            return try Layer(
                before: RMSNorm(layer.at("0.layer_norm"), width, epsilon: config.layer_norm_epsilon),
                after: RMSNorm(layer.at("1.layer_norm"), width, epsilon: config.layer_norm_epsilon),
                query: Linear(attention.at("q"), width, inner), key: Linear(attention.at("k"), width, inner),
                value: Linear(attention.at("v"), width, inner),
                output: Linear(attention.at("o"), inner, width), gate: Linear(feed.at("wi_0"), width, config.d_ff),
                up: Linear(feed.at("wi_1"), width, config.d_ff), down: Linear(feed.at("wo"), config.d_ff, width),
                distances: attention("relative_attention_bias.weight", config.num_heads, config.relative_attention_num_buckets))
        }
        last = try RMSNorm(root.at("encoder.final_layer_norm"), width, epsilon: config.layer_norm_epsilon)
    }

    /// The table of words has two names, and stands in some files under both.
    private static let (shared, own) = ("shared.weight", "encoder.embed_tokens.weight")
    static func isEmbedding(_ name: String) -> Bool { name == shared || name == own }
    /// Tables are no matrices to quantize.
    static func isTable(_ name: String) -> Bool { isEmbedding(name) || name.hasSuffix("relative_attention_bias.weight") }

    var width: Int { config.d_model }

    /// The last layer's states `[d_model, tokens]` for `ids`.
    func states(_ graph: Graph, ids: [Int]) throws -> Tensor { try states(graph, TextInput(ids), layers: [layers.count])[0] }

    func states(_ graph: Graph, _ input: TextInput, layers wanted: [Int]) throws -> [Tensor] {
        try check(input, vocabulary: config.vocab_size)
        guard input.insertions.isEmpty, input.positions == nil, wanted.allSatisfy({ (0...layers.count).contains($0) }) else {
            throw DiffusionError.unsupported("pictures, positions, or layers \(wanted) of \(layers.count), of a UMT5 text encoder")
        }
        let (count, heads) = (input.ids.count, config.num_heads)
        var x = try graph.embedding(embedding, ids: graph.input([count], integers: input.ids.map(Int32.init)))
        let buckets = try graph.input([count * count], integers: buckets(count))
        let padding = try input.mask.map { mask in try graph.input([count, 1, 1], mask.map { $0 ? 0 : -.infinity }) }
        var states = [0: x]
        for (index, layer) in layers.enumerated() {
            let normed = try layer.before(graph, x)
            func split(_ linear: Linear) throws -> Tensor { try graph.reshape(linear(graph, normed), [config.d_kv, heads, count]) }
            // [heads, others, tokens] to [others, tokens, heads].
            let near = try graph.reshape(graph.embedding(layer.distances, ids: buckets), [heads, count, count])
            var mask = try graph.contiguous(graph.permute(near, [2, 0, 1, 3]))
            if let padding { mask = try graph.add(mask, padding) }
            let attended = try graph.attention(
                query: split(layer.query), keys: split(layer.key), values: split(layer.value), mask: mask, scale: 1, precision: .exact)
            x = try graph.add(x, layer.output(graph, attended))
            let second = try layer.after(graph, x)
            let fed = try graph.gatedGELU(gate: layer.gate(graph, second), up: layer.up(graph, second), precision: precision)
            x = try graph.add(x, layer.down(graph, fed))
            states[index + 1] = index + 1 == layers.count ? try last(graph, x) : x
        }
        return wanted.compactMap { states[$0] }
    }

    /// For each token, for each other one, which kind of distance lies between them.
    func buckets(_ count: Int) -> [Int32] {
        let known = (-count...count).map { Int32(bucket($0)) }
        return (0..<count).flatMap { token in (0..<count).map { known[$0 - token + count] } }
    }

    /// Short distances count one by one, longer ones by their logarithm; half of the kinds is for what stands behind.
    private func bucket(_ distance: Int) -> Int {
        let half = config.relative_attention_num_buckets / 2
        let (side, near, length) = (distance > 0 ? half : 0, half / 2, abs(distance))
        guard length >= near else { return side + length }
        let ratio = log(Float(length) / Float(near)) / Float(log(Double(config.relative_attention_max_distance) / Double(near)))
        return side + min(near + Int(ratio * Float(half - near)), half - 1)
    }
}
