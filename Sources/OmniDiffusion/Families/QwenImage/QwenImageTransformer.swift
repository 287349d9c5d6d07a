import OmniTensor

/// Qwen-Image's denoiser: picture and text pass the blocks side by side (arXiv:2508.02324; reference: diffusers
/// `QwenImageTransformer2DModel`).
struct QwenImageTransformer: Sendable {
    let config: QwenImageConfig
    let precision: AttentionPrecision
    private let pictureIn, textIn, timeIn, timeOut, finalScale, final: Linear
    private let textNorm: RMSNorm
    let blocks: [QwenImageBlock]

    init(_ config: QwenImageConfig, _ store: WeightStore, precision: AttentionPrecision) throws {
        try config.check()
        (self.config, self.precision) = (config, precision)
        let (weights, dim) = (Weights(store), config.dim)
        let time = weights.at("time_text_embed.timestep_embedder")
        pictureIn = try Linear(weights.at("img_in"), config.in_channels, dim, bias: true)
        textNorm = try RMSNorm(weights.at("txt_norm"), config.joint_attention_dim, epsilon: QwenImageConfig.epsilon)
        textIn = try Linear(weights.at("txt_in"), config.joint_attention_dim, dim, bias: true)
        timeIn = try Linear(time.at("linear_1"), Self.waves, dim, bias: true)
        timeOut = try Linear(time.at("linear_2"), dim, dim, bias: true)
        blocks = try (0..<config.num_layers).map { try QwenImageBlock(config, weights.at("transformer_blocks.\($0)")) }
        finalScale = try Linear(weights.at("norm_out.linear"), dim, 2 * dim, bias: true)
        final = try Linear(weights.at("proj_out"), dim, config.in_channels, bias: true)
    }

    /// Width of the sinusoids that stand for the time.
    private static let waves = 256

    /// First and last layers, and what makes times, stay out of quantization.
    static func keeps(_ name: String) -> Bool {
        ["img_in", "txt_in", "txt_norm", "time_text_embed", "norm_out", "proj_out"].contains { name.hasPrefix($0) }
    }

    /// The text `[dim, tokens]` of the encoder's states `[joint_attention_dim, tokens]`. Does not depend on the time: once for all steps.
    func text(_ graph: Graph, _ states: Tensor) throws -> Tensor { try textIn(graph, textNorm(graph, states)) }

    /// The embedding `[dim]` of `time`, 0…1000, activated.
    func time(_ graph: Graph, _ time: Float) throws -> Tensor {
        let waves = try graph.input([Self.waves], timestepWaves(time, width: Self.waves))
        return try graph.silu(timeOut(graph, graph.silu(timeIn(graph, waves))))
    }

    func context(_ graph: Graph, time: Tensor, columns: Int, rows: Int, texts: [Int]) throws -> QwenImageContext {
        func rotation(_ tokens: Int, _ part: @escaping (Int) -> QwenImagePositions) throws -> Rotation {
            try Rotation(
                graph, tokens: tokens, positions: texts.dropFirst().reduce(part(texts[0])) { $0 + part($1) }.axes,
                sections: config.axes_dims_rope.map { $0 / 2 }, divisors: Rotation.divisors(config.axes_dims_rope, theta: 10_000))
        }
        return QwenImageContext(
            time: time, pictureRotation: try rotation(columns * rows * texts.count) { _ in .picture(columns: columns, rows: rows) },
            textRotation: try rotation(texts.reduce(0, +)) { .text($0, columns: columns, rows: rows) }, area: columns * rows, texts: texts,
            precision: precision)
    }

    /// The velocity `noise − picture` of each patch, `[in_channels, patches]`.
    ///
    /// - Parameters:
    ///   - patches: `[in_channels, columns · rows · samples]`, row by row.
    ///   - texts: as ``text(_:_:)`` made them, one for each sample.
    func callAsFunction(_ graph: Graph, _ patches: Tensor, columns: Int, rows: Int, time: Float, texts: [Tensor]) throws -> Tensor {
        let time = try self.time(graph, time)
        let context = try self.context(graph, time: time, columns: columns, rows: rows, texts: texts.map { $0[1] })
        var streams = QwenImageStreams(picture: try pictureIn(graph, patches), text: try graph.concat(texts, axis: 1))
        for block in blocks { streams = try block(graph, streams, context) }
        let factors = try finalScale(graph, time)
        func part(_ index: Int) throws -> Tensor { try graph.slice(factors, axis: 0, index * config.dim..<(index + 1) * config.dim) }
        let normed = try graph.layerNorm(streams.picture, epsilon: QwenImageConfig.epsilon)
        return try final(graph, graph.add(graph.multiply(normed, graph.scale(part(0), plus: 1)), part(1)))
    }
}
