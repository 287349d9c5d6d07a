import Foundation
import OmniTensor

/// Qwen3 as a text encoder: the hidden states before the last layer (arXiv:2505.09388; reference: transformers
/// `Qwen3Model`, `hidden_states[-2]`). The last layer, the norm after it and the output head are never loaded.
struct Qwen3Encoder: Sendable {
    /// `config.json`.
    struct Config: Decodable, Sendable {
        struct RoPE: Decodable, Sendable {
            let rope_theta: Double?
            let rope_type: String?
        }

        let hidden_size: Int
        let intermediate_size: Int
        let num_hidden_layers: Int
        let num_attention_heads: Int
        let num_key_value_heads: Int
        let head_dim: Int?
        let vocab_size: Int
        let rms_norm_eps: Float
        let rope_theta: Double?
        let rope_parameters: RoPE?
        let attention_bias: Bool?
        let use_sliding_window: Bool?

        var head: Int { head_dim ?? hidden_size / num_attention_heads }
        var theta: Double { rope_parameters?.rope_theta ?? rope_theta ?? 10_000 }
    }

    private struct Layer: Sendable {
        let before, after, queryNorm, keyNorm: RMSNorm
        let query, key, value, output, gate, up, down: Linear
    }

    let config: Config
    private let embedding: Tensor
    private let layers: [Layer]

    init(_ config: Config, _ store: WeightStore) throws {
        if config.attention_bias == true { throw DiffusionError.unsupported("a Qwen3 text encoder with attention_bias") }
        if config.use_sliding_window == true { throw DiffusionError.unsupported("a Qwen3 text encoder with a sliding window") }
        if let kind = config.rope_parameters?.rope_type, kind != "default" { throw DiffusionError.unsupported("rope_type \(kind)") }
        self.config = config
        let (hidden, head) = (config.hidden_size, config.head)
        let root = Weights(store, store.contains("model.embed_tokens.weight") ? "model." : "")
        embedding = try root("embed_tokens.weight", hidden, config.vocab_size)
        layers = try (0..<max(0, config.num_hidden_layers - 1)).map { index in
            let layer = root.at("layers.\(index)")
            let (attention, mlp) = (layer.at("self_attn"), layer.at("mlp"))
            let (queries, keys) = (config.num_attention_heads * head, config.num_key_value_heads * head)
            return try Layer(
                before: RMSNorm(layer.at("input_layernorm"), hidden, epsilon: config.rms_norm_eps),
                after: RMSNorm(layer.at("post_attention_layernorm"), hidden, epsilon: config.rms_norm_eps),
                queryNorm: RMSNorm(attention.at("q_norm"), head, epsilon: config.rms_norm_eps),
                keyNorm: RMSNorm(attention.at("k_norm"), head, epsilon: config.rms_norm_eps),
                query: Linear(attention.at("q_proj"), hidden, queries), key: Linear(attention.at("k_proj"), hidden, keys),
                value: Linear(attention.at("v_proj"), hidden, keys), output: Linear(attention.at("o_proj"), queries, hidden),
                gate: Linear(mlp.at("gate_proj"), hidden, config.intermediate_size), up: Linear(mlp.at("up_proj"), hidden, config.intermediate_size),
                down: Linear(mlp.at("down_proj"), config.intermediate_size, hidden))
        }
    }

    /// Which tensors of a checkpoint are used.
    static func uses(_ name: String, layers: Int) -> Bool {
        guard let range = name.range(of: "layers.") else { return name.hasSuffix("embed_tokens.weight") }
        return name[range.upperBound...].prefix { $0.isNumber }.description != "\(layers - 1)"
    }

    /// States `[hidden, tokens]` for `ids`.
    func states(_ graph: Graph, ids: [Int]) throws -> Tensor {
        if let odd = ids.first(where: { !(0..<config.vocab_size).contains($0) }) {
            throw DiffusionError.checkpoint(path: "tokenizer", reason: "gives the token \(odd), outside the text encoder's vocabulary of \(config.vocab_size)")
        }
        let (count, head) = (ids.count, config.head)
        let tokens = try graph.input([count], integers: ids.map(Int32.init))
        let positions = try graph.input([4 * count], integers: (0..<count).map(Int32.init) + [Int32](repeating: 0, count: 3 * count))
        let divisors = try graph.input([head / 2], (0..<head / 2).map { Float(pow(config.theta, Double(2 * $0) / Double(head))) })
        let mask = try graph.input([count, count], Self.causal(count))
        var x = try graph.embedding(embedding, ids: tokens)
        for layer in layers {
            let normed = try layer.before(graph, x)
            func heads(_ linear: Linear, _ count: Int) throws -> Tensor { try graph.reshape(linear(graph, normed), [head, count, ids.count]) }
            func turned(_ heads: Tensor, _ norm: RMSNorm) throws -> Tensor {
                try graph.rotate(norm(graph, heads), positions: positions, sections: [head / 2, 0, 0, 0], divisors: divisors)
            }
            let attended = try graph.attention(
                query: turned(heads(layer.query, config.num_attention_heads), layer.queryNorm),
                keys: turned(heads(layer.key, config.num_key_value_heads), layer.keyNorm),
                values: heads(layer.value, config.num_key_value_heads), mask: mask, precision: .exact)
            x = try graph.add(x, layer.output(graph, attended))
            let second = try layer.after(graph, x)
            x = try graph.add(x, layer.down(graph, graph.swiGLU(gate: layer.gate(graph, second), up: layer.up(graph, second))))
        }
        return x
    }

    /// 0 where a token may look, −∞ at those after it.
    private static func causal(_ count: Int) -> [Float] {
        (0..<count * count).map { $0 % count <= $0 / count ? 0 : -.infinity }
    }
}
