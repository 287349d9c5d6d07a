import OmniTensor

/// Two streams with weights of their own, which attend together (reference: diffusers `Flux2TransformerBlock`).
struct Flux2KleinDoubleBlock: Sendable {
    /// The weights of one stream.
    private struct Stream: Sendable {
        let query, key, value, output: Linear
        let queryNorm, keyNorm: RMSNorm
        let feedForward: Flux2KleinFeedForward

        /// - Parameters:
        ///   - names: of query, key, value, output and the two norms.
        ///   - feedForward: of the feed-forward layer.
        init(_ config: Flux2KleinConfig, _ weights: Weights, _ names: [String], feedForward: String) throws {
            let (dim, attn) = (config.dim, weights.at("attn"))
            query = try Linear(attn.at(names[0]), dim, dim)
            key = try Linear(attn.at(names[1]), dim, dim)
            value = try Linear(attn.at(names[2]), dim, dim)
            output = try Linear(attn.at(names[3]), dim, dim)
            queryNorm = try RMSNorm(attn.at(names[4]), config.head, epsilon: config.epsilon)
            keyNorm = try RMSNorm(attn.at(names[5]), config.head, epsilon: config.epsilon)
            self.feedForward = try Flux2KleinFeedForward(weights.at(feedForward), config)
        }
    }

    private let config: Flux2KleinConfig
    private let picture, text: Stream

    init(_ config: Flux2KleinConfig, _ weights: Weights) throws {
        self.config = config
        picture = try Stream(config, weights, ["to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k"], feedForward: "ff")
        text = try Stream(
            config, weights, ["add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "norm_added_q", "norm_added_k"],
            feedForward: "ff_context")
    }

    /// - Parameters:
    ///   - text: `[dim, tokens]`, sample after sample.
    ///   - picture: the same, each sample's picture and references.
    func callAsFunction(_ graph: Graph, text: Tensor, picture: Tensor, _ context: Flux2KleinContext) throws -> (
        text: Tensor, picture: Tensor
    ) {
        let (sequence, epsilon) = (context.sequence, config.epsilon)
        let seen = try context.picture[0](graph, picture, epsilon: epsilon)
        let read = try context.text[0](graph, text, epsilon: epsilon)
        func heads(_ linear: Linear, _ x: Tensor) throws -> Tensor {
            try graph.reshape(linear(graph, x), [config.head, config.num_attention_heads, x[1]])
        }
        func joined(_ part: (Stream, Tensor) throws -> Tensor) throws -> Tensor {
            try sequence.joined(graph, text: part(self.text, read), picture: part(self.picture, seen), axis: 2)
        }
        let attended = try context.attended(
            graph, joined { try $0.queryNorm(graph, heads($0.query, $1)) }, joined { try $0.keyNorm(graph, heads($0.key, $1)) },
            joined { try heads($0.value, $1) })
        let parts = try sequence.split(graph, attended)
        func through(_ stream: Stream, _ x: Tensor, _ attended: Tensor, _ modulation: [Flux2KleinModulation]) throws -> Tensor {
            let x = try graph.add(x, graph.multiply(stream.output(graph, attended), modulation[0].gate))
            let fed = try stream.feedForward(graph, modulation[1](graph, x, epsilon: epsilon))
            return try graph.add(x, graph.multiply(fed, modulation[1].gate))
        }
        return try (
            through(self.text, text, parts.text, context.text), through(self.picture, picture, parts.picture, context.picture)
        )
    }
}

/// One stream of both, whose attention and feed-forward layer work side by side: one product makes queries, keys, values and the inner
/// states, another takes both results back (reference: diffusers `Flux2SingleTransformerBlock`).
struct Flux2KleinSingleBlock: Sendable {
    private let config: Flux2KleinConfig
    private let input, output: Linear
    private let queryNorm, keyNorm: RMSNorm

    init(_ config: Flux2KleinConfig, _ weights: Weights) throws {
        let (dim, attn) = (config.dim, weights.at("attn"))
        self.config = config
        input = try Linear(attn.at("to_qkv_mlp_proj"), dim, 3 * dim + 2 * config.inner)
        output = try Linear(attn.at("to_out"), dim + config.inner, dim)
        queryNorm = try RMSNorm(attn.at("norm_q"), config.head, epsilon: config.epsilon)
        keyNorm = try RMSNorm(attn.at("norm_k"), config.head, epsilon: config.epsilon)
    }

    /// - Parameter x: `[dim, tokens]`, all of each sample, sample after sample.
    func callAsFunction(_ graph: Graph, _ x: Tensor, _ context: Flux2KleinContext) throws -> Tensor {
        let dim = config.dim
        // Portion by portion: the gate halves what is kept of the wide product.
        let wide = try graph.chunked(of: context.joint(graph, x, epsilon: config.epsilon), axis: 1, step: 256) { part in
            let product = try input(graph, part)
            let gated = try Flux2KleinFeedForward.gated(graph, graph.slice(product, axis: 0, 3 * dim..<product[0]))
            return try graph.concat([graph.slice(product, axis: 0, 0..<3 * dim), gated], axis: 0)
        }
        func heads(_ part: Int) throws -> Tensor {
            let rows = try graph.contiguous(graph.slice(wide, axis: 0, part * dim..<(part + 1) * dim))
            return try graph.reshape(rows, [config.head, config.num_attention_heads, x[1]])
        }
        let attended = try context.attended(graph, queryNorm(graph, heads(0)), keyNorm(graph, heads(1)), heads(2))
        let both = try graph.concat([attended, graph.slice(wide, axis: 0, 3 * dim..<wide[0])], axis: 0)
        return try graph.add(x, graph.multiply(output(graph, both), context.joint.gate))
    }
}
