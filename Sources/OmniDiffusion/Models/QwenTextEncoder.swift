import Foundation
import OmniTensor

/// The Qwen models as text encoders (arXiv:2505.09388, arXiv:2502.13923; reference: transformers `Qwen3Model` and the text model of
/// `Qwen2_5_VLModel`). Layers after the deepest that is wanted, and the output head, are never loaded.
struct QwenTextEncoder: TextEncoder {
    /// What tells the generations apart.
    enum Generation: Sendable {
        /// Queries, keys and values have biases.
        case qwen2
        /// Queries and keys are normalized.
        case qwen3
    }

    private struct Layer: Sendable {
        let before, after: RMSNorm
        let queryNorm, keyNorm: RMSNorm?
        let query, key, value, output, gate, up, down: Linear
    }

    let config: Config
    private let embedding: Tensor
    private let layers: [Layer]
    /// Where the last layer is loaded.
    private let last: RMSNorm?

    var width: Int { config.hidden_size }

    /// - Parameter deepest: the last layer whose states are wanted.
    init(_ config: Config, _ generation: Generation, _ store: WeightStore, deepest: Int) throws {
        try config.check(generation)
        guard (0...config.num_hidden_layers).contains(deepest) else {
            throw DiffusionError.checkpoint(
                path: store.source,
                reason: "has \(config.num_hidden_layers) layers, and the pipeline wants the states after layer \(deepest)")
        }
        self.config = config
        let root = Weights(store, Self.prefixes.first { store.contains($0 + "embed_tokens.weight") } ?? "")
        let hidden = config.hidden_size
        embedding = try root("embed_tokens.weight", hidden, config.vocab_size)
        layers = try (0..<deepest).map { try Self.layer(root.at("layers.\($0)"), config, generation) }
        last = deepest == config.num_hidden_layers ? try RMSNorm(root.at("norm"), hidden, epsilon: config.rms_norm_eps) : nil
    }

    /// What stands before the names of the text model's tensors.
    private static let prefixes = ["model.language_model.", "model."]

    private static func layer(_ weights: Weights, _ config: Config, _ generation: Generation) throws -> Layer {
        let (hidden, head, epsilon) = (config.hidden_size, config.head, config.rms_norm_eps)
        let (attention, mlp) = (weights.at("self_attn"), weights.at("mlp"))
        let (queries, keys) = (config.num_attention_heads * head, config.num_key_value_heads * head)
        let (biased, normed) = (generation == .qwen2, generation == .qwen3)
        return try Layer(
            before: RMSNorm(weights.at("input_layernorm"), hidden, epsilon: epsilon),
            after: RMSNorm(weights.at("post_attention_layernorm"), hidden, epsilon: epsilon),
            queryNorm: normed ? RMSNorm(attention.at("q_norm"), head, epsilon: epsilon) : nil,
            keyNorm: normed ? RMSNorm(attention.at("k_norm"), head, epsilon: epsilon) : nil,
            query: Linear(attention.at("q_proj"), hidden, queries, bias: biased),
            key: Linear(attention.at("k_proj"), hidden, keys, bias: biased),
            value: Linear(attention.at("v_proj"), hidden, keys, bias: biased), output: Linear(attention.at("o_proj"), queries, hidden),
            gate: Linear(mlp.at("gate_proj"), hidden, config.intermediate_size),
            up: Linear(mlp.at("up_proj"), hidden, config.intermediate_size),
            down: Linear(mlp.at("down_proj"), config.intermediate_size, hidden))
    }

    /// How its weights are loaded.
    static func adjust(_ options: inout WeightOptions, _ config: Config, deepest: Int) {
        options.select = { uses($0, deepest: deepest, all: config.num_hidden_layers) }
        options.keep = { $0.hasSuffix("embed_tokens.weight") }
        options.sparse = options.keep
    }

    /// Which tensors of a checkpoint are used.
    private static func uses(_ name: String, deepest: Int, all: Int) -> Bool {
        if name.hasPrefix("visual.") || name.hasPrefix("model.visual.") { return false }
        guard let range = name.range(of: "layers.") else {
            return name.hasSuffix("embed_tokens.weight") || (deepest == all && name.hasSuffix("norm.weight"))
        }
        return Int(name[range.upperBound...].prefix { $0.isNumber }).map { $0 < deepest } ?? false
    }

    // MARK: states

    func states(_ graph: Graph, _ input: TextInput, layers wanted: [Int]) throws -> [Tensor] {
        try check(input, vocabulary: config.vocab_size)
        guard let deepest = wanted.max(), wanted.allSatisfy({ (0...layers.count).contains($0) }) else {
            throw DiffusionError.unsupported("the states after layers \(wanted) of a text encoder of which \(layers.count) are loaded")
        }
        let rotation = try rotation(graph, input)
        let mask = try graph.input([input.ids.count, input.ids.count], Self.visible(input))
        var x = try embedded(graph, input)
        var states = [0: x]
        for (index, layer) in layers.prefix(deepest).enumerated() {
            x = try through(layer, graph, x, rotation, mask)
            let normed = index + 1 == config.num_hidden_layers ? try last.map { try $0(graph, x) } : nil
            states[index + 1] = normed ?? x
        }
        return wanted.compactMap { states[$0] }
    }

    private func embedded(_ graph: Graph, _ input: TextInput) throws -> Tensor {
        let x = try graph.embedding(embedding, ids: graph.input([input.ids.count], integers: input.ids.map(Int32.init)))
        guard !input.insertions.isEmpty else { return x }
        var (parts, end) = ([Tensor](), 0)
        for insertion in input.insertions.sorted(by: { $0.place < $1.place }) {
            guard insertion.place >= end, insertion.count > 0, insertion.place + insertion.count <= input.ids.count else {
                throw DiffusionError.unsupported(
                    "states for the tokens \(insertion.place)..<\(insertion.place + insertion.count) of \(input.ids.count)")
            }
            if insertion.place > end { parts.append(try graph.slice(x, axis: 1, end..<insertion.place)) }
            parts.append(try graph.input([width, insertion.count], insertion.states))
            end = insertion.place + insertion.count
        }
        if end < input.ids.count { parts.append(try graph.slice(x, axis: 1, end..<input.ids.count)) }
        return try graph.concat(parts, axis: 1)
    }

    private func through(_ layer: Layer, _ graph: Graph, _ input: Tensor, _ rotation: Rotation, _ mask: Tensor) throws -> Tensor {
        let normed = try layer.before(graph, input)
        func heads(_ linear: Linear, _ count: Int) throws -> Tensor {
            try graph.reshape(linear(graph, normed), [config.head, count, input[1]])
        }
        func rotated(_ heads: Tensor, _ norm: RMSNorm?) throws -> Tensor { try rotation(graph, norm.map { try $0(graph, heads) } ?? heads) }
        let attended = try graph.attention(
            query: rotated(heads(layer.query, config.num_attention_heads), layer.queryNorm),
            keys: rotated(heads(layer.key, config.num_key_value_heads), layer.keyNorm),
            values: heads(layer.value, config.num_key_value_heads), mask: mask, precision: .exact)
        let x = try graph.add(input, layer.output(graph, attended))
        let second = try layer.after(graph, x)
        return try graph.add(x, layer.down(graph, graph.swiGLU(gate: layer.gate(graph, second), up: layer.up(graph, second))))
    }

    /// With positions that count up all axes agree, and one is enough.
    private func rotation(_ graph: Graph, _ input: TextInput) throws -> Rotation {
        let divisors = (0..<config.head / 2).map { Float(pow(config.theta, Double(2 * $0) / Double(config.head))) }
        guard let positions = input.positions else {
            return try Rotation(
                graph, tokens: input.ids.count, positions: [(0..<Int32(input.ids.count)).map { $0 }], sections: [config.head / 2],
                divisors: divisors)
        }
        let sections = positions.count > 1 ? config.sections : [config.head / 2]
        guard sections.count == positions.count, sections.reduce(0, +) * 2 == config.head,
            positions.allSatisfy({ $0.count == input.ids.count })
        else {
            throw DiffusionError.unsupported(
                "a text encoder with rotary sections \(config.sections) for positions along \(positions.count) axes")
        }
        return try Rotation(graph, tokens: input.ids.count, positions: positions, sections: sections, divisors: divisors)
    }

    /// 0 where a token may look, −∞ at those after it and at padding. Where all before it is padding it sees itself.
    private static func visible(_ input: TextInput) -> [Float] {
        let count = input.ids.count
        let counts = input.mask ?? [Bool](repeating: true, count: count)
        var values = [Float](repeating: -.infinity, count: count * count)
        for token in 0..<count {
            for other in 0...token where counts[other] { values[token * count + other] = 0 }
            if !counts[...token].contains(true) { values[token * count + token] = 0 }
        }
        return values
    }
}
