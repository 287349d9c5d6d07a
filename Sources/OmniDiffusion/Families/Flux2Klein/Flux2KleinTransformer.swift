import OmniTensor

/// FLUX.2's denoiser: text and pictures pass the double blocks side by side and the single blocks as one sequence (reference: diffusers
/// `Flux2Transformer2DModel`). Nothing in it has a bias.
struct Flux2KleinTransformer: Sendable {
    let config: Flux2KleinConfig
    let precision: AttentionPrecision
    private let pictureIn, textIn, timeIn, timeOut, pictureModulation, textModulation, jointModulation, finalScale, final: Linear
    let doubleBlocks: [Flux2KleinDoubleBlock]
    let singleBlocks: [Flux2KleinSingleBlock]

    init(_ config: Flux2KleinConfig, _ store: WeightStore, precision: AttentionPrecision) throws {
        try config.check()
        (self.config, self.precision) = (config, precision)
        let (weights, dim) = (Weights(store), config.dim)
        let time = weights.at("time_guidance_embed.timestep_embedder")
        pictureIn = try Linear(weights.at("x_embedder"), config.in_channels, dim)
        textIn = try Linear(weights.at("context_embedder"), config.joint_attention_dim, dim)
        timeIn = try Linear(time.at("linear_1"), config.waves, dim)
        timeOut = try Linear(time.at("linear_2"), dim, dim)
        pictureModulation = try Linear(weights.at("double_stream_modulation_img.linear"), dim, 6 * dim)
        textModulation = try Linear(weights.at("double_stream_modulation_txt.linear"), dim, 6 * dim)
        jointModulation = try Linear(weights.at("single_stream_modulation.linear"), dim, 3 * dim)
        doubleBlocks = try (0..<config.num_layers).map { try Flux2KleinDoubleBlock(config, weights.at("transformer_blocks.\($0)")) }
        singleBlocks = try (0..<config.num_single_layers).map {
            try Flux2KleinSingleBlock(config, weights.at("single_transformer_blocks.\($0)"))
        }
        finalScale = try Linear(weights.at("norm_out.linear"), dim, 2 * dim)
        final = try Linear(weights.at("proj_out"), dim, config.in_channels)
    }

    /// First and last layers, and what times make, stay out of quantization.
    static func keeps(_ name: String) -> Bool {
        let kept = ["x_embedder", "context_embedder", "time_guidance_embed", "double_stream_modulation", "single_stream_modulation"]
        return (kept + ["norm_out", "proj_out"]).contains { name.hasPrefix($0) }
    }

    /// The order in which outputs are loaded: queries and keys are rotated by halves.
    static func order(_ name: String, _ outputs: Int, _ config: Flux2KleinConfig) -> [Int]? {
        let rotated = [".to_q.", ".to_k.", ".add_q_proj.", ".add_k_proj.", ".norm_q.", ".norm_k.", ".norm_added_q.", ".norm_added_k."]
        if rotated.contains(where: { name.contains($0) }) { return Rotation.halves(outputs, head: config.head) }
        guard name.contains(".to_qkv_mlp_proj."), outputs > 2 * config.dim else { return nil }
        return Rotation.halves(2 * config.dim, head: config.head).map { $0 + Array(2 * config.dim..<outputs) }
    }

    /// The text `[dim, tokens]` of the encoder's states `[joint_attention_dim, tokens]`. Does not depend on the time: once for all steps.
    func text(_ graph: Graph, _ states: Tensor) throws -> Tensor { try textIn(graph, states) }

    /// The embedding `[dim]` of `time`, 0…1000, activated.
    func time(_ graph: Graph, _ time: Float) throws -> Tensor {
        let waves = try graph.input([config.waves], timestepWaves(time, width: config.waves))
        return try graph.silu(timeOut(graph, graph.silu(timeIn(graph, waves))))
    }

    func context(_ graph: Graph, time: Tensor, _ sequence: Flux2KleinSequence) throws -> Flux2KleinContext {
        try context(
            graph, picture: pictureModulation(graph, time), text: textModulation(graph, time), joint: jointModulation(graph, time), sequence
        )
    }

    /// - Parameters:
    ///   - picture: shifts, scales and gates of double blocks, `[6 · dim]`; so `text`.
    ///   - joint: those of single blocks, `[3 · dim]`.
    func context(_ graph: Graph, picture: Tensor, text: Tensor, joint: Tensor, _ sequence: Flux2KleinSequence) throws
        -> Flux2KleinContext
    {
        let axes = config.axes_dims_rope
        return Flux2KleinContext(
            picture: try Flux2KleinModulation.split(graph, picture, count: 2), text: try Flux2KleinModulation.split(graph, text, count: 2),
            joint: try Flux2KleinModulation.split(graph, joint, count: 1)[0],
            rotation: try Rotation(
                graph, tokens: sequence.lengths.reduce(0, +), positions: sequence.positions, sections: axes.map { $0 / 2 },
                divisors: Rotation.divisors(axes, theta: config.theta)),
            sequence: sequence, precision: precision)
    }

    /// The velocity `noise − picture` of each of the pictures' patches, `[in_channels, patches]`.
    ///
    /// - Parameters:
    ///   - patches: `[in_channels, tokens]`: each sample's picture, row by row, then its references.
    ///   - texts: as ``text(_:_:)`` made them, one for each sample.
    func callAsFunction(_ graph: Graph, _ patches: Tensor, _ sequence: Flux2KleinSequence, time: Float, texts: [Tensor]) throws -> Tensor {
        let time = try self.time(graph, time)
        let context = try self.context(graph, time: time, sequence)
        var (text, picture) = (try graph.concat(texts, axis: 1), try pictureIn(graph, patches))
        for block in doubleBlocks { (text, picture) = try block(graph, text: text, picture: picture, context) }
        var joint = try sequence.joined(graph, text: text, picture: picture, axis: 1)
        for block in singleBlocks { joint = try block(graph, joint, context) }
        let factors = try finalScale(graph, time)
        // The scale stands before the shift.
        func part(_ index: Int) throws -> Tensor { try graph.slice(factors, axis: 0, index * config.dim..<(index + 1) * config.dim) }
        let normed = try graph.layerNorm(sequence.pictures(graph, joint), epsilon: config.epsilon)
        return try final(graph, graph.add(graph.multiply(normed, graph.scale(part(0), plus: 1)), part(1)))
    }
}
