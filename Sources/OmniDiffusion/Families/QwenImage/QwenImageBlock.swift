import OmniTensor

/// Picture and text of a batch, each `[dim, tokens]`, sample after sample.
struct QwenImageStreams {
    var picture: Tensor
    var text: Tensor
}

/// What all blocks of a step see besides.
struct QwenImageContext {
    /// The time's embedding `[dim]`, activated.
    let time: Tensor
    let pictureRotation, textRotation: Rotation
    /// Patches of each sample's picture.
    let area: Int
    /// Tokens of each sample's text.
    let texts: [Int]
    let precision: AttentionPrecision
}

/// Two streams with weights of their own, which attend together; each is shifted, scaled and gated by the time (diffusers
/// `QwenImageTransformerBlock`).
struct QwenImageBlock: Sendable {
    /// The weights of one stream.
    private struct Stream: Sendable {
        let modulation, query, key, value, output, up, down: Linear
        let queryNorm, keyNorm: RMSNorm

        /// - Parameters:
        ///   - name: of the modulation and the feed-forward layer.
        ///   - attention: of query, key, value, output and the two norms.
        init(_ config: QwenImageConfig, _ weights: Weights, _ name: String, attention: [String]) throws {
            let (dim, attn) = (config.dim, weights.at("attn"))
            modulation = try Linear(weights.at("\(name)_mod.1"), dim, 6 * dim, bias: true)
            query = try Linear(attn.at(attention[0]), dim, dim, bias: true)
            key = try Linear(attn.at(attention[1]), dim, dim, bias: true)
            value = try Linear(attn.at(attention[2]), dim, dim, bias: true)
            output = try Linear(attn.at(attention[3]), dim, dim, bias: true)
            queryNorm = try RMSNorm(attn.at(attention[4]), config.head, epsilon: QwenImageConfig.epsilon)
            keyNorm = try RMSNorm(attn.at(attention[5]), config.head, epsilon: QwenImageConfig.epsilon)
            up = try Linear(weights.at("\(name)_mlp.net.0.proj"), dim, 4 * dim, bias: true)
            down = try Linear(weights.at("\(name)_mlp.net.2"), 4 * dim, dim, bias: true)
        }

        /// Shift, scale and gate before attention, and the same before the feed-forward layer, `[dim]` each.
        func modulations(_ graph: Graph, _ time: Tensor) throws -> [Tensor] {
            let all = try modulation(graph, time)
            let dim = all[0] / 6
            return try (0..<6).map { part in
                let row = try graph.slice(all, axis: 0, part * dim..<(part + 1) * dim)
                return part % 3 == 1 ? try graph.scale(row, plus: 1) : row
            }
        }

        /// Portion by portion, so that the wide inner states of all tokens never exist at once.
        func feedForward(_ graph: Graph, _ x: Tensor, _ precision: AttentionPrecision) throws -> Tensor {
            try graph.chunked(of: x, axis: 1, step: 256) { part in try down(graph, graph.gelu(up(graph, part), precision: precision)) }
        }
    }

    private let head: Int
    private let picture, text: Stream

    init(_ config: QwenImageConfig, _ weights: Weights) throws {
        head = config.head
        picture = try Stream(config, weights, "img", attention: ["to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k"])
        text = try Stream(
            config, weights, "txt", attention: ["add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "norm_added_q", "norm_added_k"])
    }

    /// Queries and keys of both streams are rotated by halves.
    static func order(_ name: String, _ outputs: Int, head: Int) -> [Int]? {
        let rotated = [".to_q.", ".to_k.", ".add_q_proj.", ".add_k_proj.", ".norm_q.", ".norm_k.", ".norm_added_q.", ".norm_added_k."]
        return rotated.contains { name.contains($0) } ? Rotation.halves(outputs, head: head) : nil
    }

    func callAsFunction(_ graph: Graph, _ x: QwenImageStreams, _ context: QwenImageContext) throws -> QwenImageStreams {
        let (forPicture, forText) = (try picture.modulations(graph, context.time), try text.modulations(graph, context.time))
        func modulated(_ x: Tensor, _ parts: [Tensor], _ first: Int) throws -> Tensor {
            try graph.add(graph.multiply(graph.layerNorm(x, epsilon: QwenImageConfig.epsilon), parts[first + 1]), parts[first])
        }
        let attended = try attention(
            graph, QwenImageStreams(picture: modulated(x.picture, forPicture, 0), text: modulated(x.text, forText, 0)), context)
        var x = x
        x.picture = try graph.add(x.picture, graph.multiply(attended.picture, forPicture[2]))
        x.text = try graph.add(x.text, graph.multiply(attended.text, forText[2]))
        let fed = try picture.feedForward(graph, modulated(x.picture, forPicture, 3), context.precision)
        x.picture = try graph.add(x.picture, graph.multiply(fed, forPicture[5]))
        let told = try text.feedForward(graph, modulated(x.text, forText, 3), context.precision)
        x.text = try graph.add(x.text, graph.multiply(told, forText[5]))
        return x
    }

    /// Each sample's text and picture as one sequence.
    private func attention(_ graph: Graph, _ x: QwenImageStreams, _ context: QwenImageContext) throws -> QwenImageStreams {
        func split(_ linear: Linear, _ x: Tensor) throws -> Tensor { try graph.reshape(linear(graph, x), [head, x[0] / head, x[1]]) }
        func joined(_ text: Tensor, _ picture: Tensor) throws -> Tensor {
            var start = 0
            return try graph.concat(
                context.texts.enumerated().flatMap { sample, tokens in
                    defer { start += tokens }
                    return [
                        try graph.slice(text, axis: 2, start..<start + tokens),
                        try graph.slice(picture, axis: 2, sample * context.area..<(sample + 1) * context.area),
                    ]
                }, axis: 2)
        }
        let queries = try joined(
            context.textRotation(graph, text.queryNorm(graph, split(text.query, x.text))),
            context.pictureRotation(graph, picture.queryNorm(graph, split(picture.query, x.picture))))
        let keys = try joined(
            context.textRotation(graph, text.keyNorm(graph, split(text.key, x.text))),
            context.pictureRotation(graph, picture.keyNorm(graph, split(picture.key, x.picture))))
        let values = try joined(split(text.value, x.text), split(picture.value, x.picture))
        let attended = try graph.attention(
            query: queries, keys: keys, values: values, sequences: context.texts.map { $0 + context.area }, precision: context.precision)
        var (start, texts, pictures) = (0, [Tensor](), [Tensor]())
        for tokens in context.texts {
            texts.append(try graph.slice(attended, axis: 1, start..<start + tokens))
            pictures.append(try graph.slice(attended, axis: 1, start + tokens..<start + tokens + context.area))
            start += tokens + context.area
        }
        func whole(_ parts: [Tensor]) throws -> Tensor { try graph.contiguous(graph.concat(parts, axis: 1)) }
        return try QwenImageStreams(picture: picture.output(graph, whole(pictures)), text: text.output(graph, whole(texts)))
    }
}
