import Foundation
import OmniTensor

/// A caption as the main layers take it.
struct ZImageCaption {
    /// As ``ZImageTransformer/caption(_:_:)`` made it, `[dim, padded tokens]`.
    let states: Tensor
    /// Tokens before padding.
    let tokens: Int
}

/// Z-Image's denoiser: picture and caption are refined apart, then pass the main layers as one sequence
/// (arXiv:2511.22699; reference: diffusers `ZImageTransformer2DModel`).
struct ZImageTransformer: Sendable {
    let config: ZImageConfig
    let precision: AttentionPrecision
    private let embedder: Linear
    private let timeIn, timeOut: Linear
    private let captionNorm: RMSNorm
    private let captionEmbedder: Linear
    private let picturePad, captionPad: Tensor
    let noiseRefiner, contextRefiner, layers: [ZImageBlock]
    private let finalScale, final: Linear

    init(_ config: ZImageConfig, _ store: WeightStore, precision: AttentionPrecision) throws {
        try config.check()
        self.config = config
        self.precision = precision
        let weights = Weights(store)
        let (dim, values, key) = (config.dim, config.patch * config.patch * config.in_channels, "\(config.patch)-1")
        embedder = try Linear(weights.at("all_x_embedder.\(key)"), values, dim, bias: true)
        timeIn = try Linear(weights.at("t_embedder.mlp.0"), Self.frequencies, 1024, bias: true)
        timeOut = try Linear(weights.at("t_embedder.mlp.2"), 1024, config.timeFeatures, bias: true)
        captionNorm = try RMSNorm(weights.at("cap_embedder.0"), config.cap_feat_dim, epsilon: config.norm_eps)
        captionEmbedder = try Linear(weights.at("cap_embedder.1"), config.cap_feat_dim, dim, bias: true)
        picturePad = try weights("x_pad_token", dim)
        captionPad = try weights("cap_pad_token", dim)
        noiseRefiner = try (0..<config.n_refiner_layers).map { try ZImageBlock(config, weights.at("noise_refiner.\($0)"), modulated: true) }
        contextRefiner = try (0..<config.n_refiner_layers).map {
            try ZImageBlock(config, weights.at("context_refiner.\($0)"), modulated: false)
        }
        layers = try (0..<config.n_layers).map { try ZImageBlock(config, weights.at("layers.\($0)"), modulated: true) }
        finalScale = try Linear(weights.at("all_final_layer.\(key).adaLN_modulation.1"), config.timeFeatures, dim, bias: true)
        final = try Linear(weights.at("all_final_layer.\(key).linear"), dim, values, bias: true)
    }

    /// Width of the sinusoids that stand for the time.
    private static let frequencies = 256

    func rotation(_ graph: Graph, _ positions: ZImagePositions) throws -> Rotation {
        try Rotation(
            graph, tokens: positions.count, positions: positions.axes, sections: config.axes_dims.map { $0 / 2 },
            divisors: ZImagePositions.divisors(config))
    }

    /// The caption `[dim, padded tokens]` from the text encoder's states `[features, tokens]`. Does not depend on the time:
    /// once for all steps.
    func caption(_ graph: Graph, _ states: Tensor) throws -> Tensor {
        var x = try captionEmbedder(graph, captionNorm(graph, states))
        x = try padded(graph, x, with: captionPad)
        let rotation = try rotation(graph, .caption(states[1]))
        for block in contextRefiner { x = try block(graph, x, rotation, [x[1]], time: nil, precision) }
        return x
    }

    /// The embedding `[timeFeatures]` of `time`, 0 at noise to 1 at the picture.
    func time(_ graph: Graph, _ time: Float) throws -> Tensor {
        let waves = try graph.input([Self.frequencies], timestepWaves(time * config.t_scale, width: Self.frequencies))
        return try timeOut(graph, graph.silu(timeIn(graph, waves)))
    }

    /// What the last layer says for each patch, `[patch values, patches]`. Several pictures pass the layers as sequences that lie
    /// one after the other: only attention tells them apart.
    ///
    /// - Parameters:
    ///   - patches: `[patch values, columns · rows · pictures]`, row by row.
    ///   - captions: one for each picture.
    func callAsFunction(_ graph: Graph, _ patches: Tensor, columns: Int, rows: Int, time: Tensor, captions: [ZImageCaption]) throws
        -> Tensor
    {
        let area = columns * rows
        let alone = captions.map { ZImagePositions.picture(columns: columns, rows: rows, captionTokens: $0.tokens) }
        var x = try embedder(graph, patches)
        if area < alone[0].count { x = try graph.concat(pieces(graph, x, area).map { try padded(graph, $0, with: picturePad) }, axis: 1) }
        x = try pass(graph, x, noiseRefiner, alone, time)
        let together = zip(alone, captions).map { $0 + .caption($1.tokens) }
        let sequences = try zip(pieces(graph, x, alone[0].count), captions).flatMap { [$0, $1.states] }
        x = try pass(graph, graph.concat(sequences, axis: 1), layers, together, time)
        // The rest of the sequences is not asked for.
        var start = 0
        let seen = try together.map { sequence in
            defer { start += sequence.count }
            return try graph.slice(x, axis: 1, start..<start + area)
        }
        let factor = try graph.scale(finalScale(graph, graph.silu(time)), plus: 1)
        return try final(graph, graph.multiply(graph.layerNorm(graph.contiguous(graph.concat(seen, axis: 1)), epsilon: 1e-6), factor))
    }

    private func pass(_ graph: Graph, _ x: Tensor, _ blocks: [ZImageBlock], _ sequences: [ZImagePositions], _ time: Tensor) throws -> Tensor
    {
        let rotation = try rotation(graph, sequences.dropFirst().reduce(sequences[0], +))
        return try blocks.reduce(x) { try $1(graph, $0, rotation, sequences.map(\.count), time: time, precision) }
    }

    /// `x [dim, tokens]` in sequences of `length`.
    private func pieces(_ graph: Graph, _ x: Tensor, _ length: Int) throws -> [Tensor] {
        try stride(from: 0, to: x[1], by: length).map { try graph.slice(x, axis: 1, $0..<$0 + length) }
    }

    private func padded(_ graph: Graph, _ x: Tensor, with token: Tensor) throws -> Tensor {
        let missing = ZImageConfig.padded(x[1]) - x[1]
        return missing == 0 ? x : try graph.concat([x, graph.repeat(token, [config.dim, missing])], axis: 1)
    }

    /// `[patch values, patches]`: row by row, within a patch channels fastest, then columns, then rows.
    func patches(_ latents: Plane) -> [Float] {
        let (patch, channels) = (config.patch, config.in_channels)
        var values: [Float] = []
        values.reserveCapacity(latents.values.count)
        for row in 0..<latents.height / patch {
            for column in 0..<latents.width / patch {
                for y in 0..<patch {
                    for x in 0..<patch {
                        for channel in 0..<channels { values.append(latents[column * patch + x, row * patch + y, channel]) }
                    }
                }
            }
        }
        return values
    }

    /// The reverse of ``patches(_:)``.
    func latents(_ patches: [Float], width: Int, height: Int) -> Plane {
        let (patch, channels) = (config.patch, config.in_channels)
        let columns = width / patch
        return Plane(width: width, height: height, channels: channels) { x, y, channel in
            patches[((y / patch * columns + x / patch) * patch * patch + y % patch * patch + x % patch) * channels + channel]
        }
    }
}
