import Foundation
import OmniTensor

/// Wan's denoiser (arXiv:2503.20314; reference: diffusers `WanTransformer3DModel`).
struct WanTransformer: Sendable {
    /// Places that the text has: what a prompt leaves empty is zeros, which the attention sees.
    static let textPlaces = 512

    let config: WanConfig
    let precision: AttentionPrecision
    /// `[columns, rows, frames, channels · dim]`.
    private let patchKernel: Tensor
    private let patchBias: Tensor
    private let timeIn, timeOut, timeProjection, textIn, textOut: Linear
    private let picture: WanPictureEmbedder?
    let blocks: [WanBlock]
    /// `[dim, 2]`.
    private let table: Tensor
    private let final: Linear

    init(_ config: WanConfig, _ store: WeightStore, precision: AttentionPrecision) throws {
        try config.check()
        self.config = config
        self.precision = precision
        let weights = Weights(store)
        let dim = config.dim
        let condition = weights.at("condition_embedder")
        patchKernel = try store.tensor("patch_embedding.weight", Array(config.patch_size.reversed()) + [config.in_channels * dim])
        patchBias = try weights("patch_embedding.bias", dim)
        timeIn = try Linear(condition.at("time_embedder.linear_1"), config.freq_dim, dim, bias: true)
        timeOut = try Linear(condition.at("time_embedder.linear_2"), dim, dim, bias: true)
        timeProjection = try Linear(condition.at("time_proj"), dim, 6 * dim, bias: true)
        textIn = try Linear(condition.at("text_embedder.linear_1"), config.text_dim, dim, bias: true)
        textOut = try Linear(condition.at("text_embedder.linear_2"), dim, dim, bias: true)
        picture = try config.image_dim.map { try WanPictureEmbedder(condition.at("image_embedder"), $0, dim) }
        blocks = try (0..<config.num_layers).map { try WanBlock(config, weights.at("blocks.\($0)")) }
        table = try weights("scale_shift_table", dim, 2)
        final = try Linear(weights.at("proj_out"), dim, config.patchSize * config.outputs, bias: true)
    }

    /// First and last layers, and what makes times and texts, stay out of quantization.
    static func keeps(_ name: String) -> Bool {
        ["patch_embedding", "condition_embedder", "proj_out"].contains { name.hasPrefix($0) } || name.hasSuffix("scale_shift_table")
    }

    func rotation(_ graph: Graph, _ grid: WanGrid) throws -> Rotation {
        try Rotation(graph, tokens: grid.count, positions: grid.positions, sections: config.sections, divisors: config.divisors)
    }

    // MARK: what stands before the blocks

    /// `[dim, patches]` of `patches [patch values, patches]`.
    func embedded(_ graph: Graph, patches: Tensor) throws -> Tensor {
        try graph.linear(patches, graph.reshape(patchKernel, [patches[0], config.dim]), bias: patchBias)
    }

    /// The embeddings `[dim, times]` of `times`, 0…1000 each.
    func time(_ graph: Graph, _ times: [Float]) throws -> Tensor {
        let waves = times.flatMap { timestepWaves($0, width: config.freq_dim) }
        return try timeOut(graph, graph.silu(timeIn(graph, graph.input([config.freq_dim, times.count], waves))))
    }

    /// What the times say to the blocks, `[dim, 6, times]`, of their embeddings.
    func modulation(_ graph: Graph, _ time: Tensor) throws -> Tensor {
        try graph.reshape(timeProjection(graph, graph.silu(time)), [config.dim, 6, time[1]])
    }

    /// The text `[dim, texts]` of `states [text_dim, texts]`.
    func text(_ graph: Graph, _ states: Tensor) throws -> Tensor {
        try textOut(graph, graph.gelu(textIn(graph, states), precision: precision))
    }

    /// The states of a prompt with rows of zeros for the places that it leaves empty, and what stands for their number in the
    /// scores: equal keys and values count as fewer with the logarithm of the ratio added.
    static func places(_ states: [Float], width: Int) -> (states: [Float], bias: [Float]?) {
        let count = states.count / width
        guard count < textPlaces else { return (states, nil) }
        let rows = rows(tokens: count) - count
        let weight = log(Float(textPlaces - count) / Float(rows))
        return (
            states + [Float](repeating: 0, count: rows * width),
            [Float](repeating: 0, count: count) + [Float](repeating: weight, count: rows)
        )
    }

    /// Rows of text for a prompt of `tokens`: at least one more where places are left, and as products are fastest with.
    static func rows(tokens: Int) -> Int { min(textPlaces, (tokens / 16 + 1) * 16) }

    func picture(_ graph: Graph, _ states: Tensor) throws -> Tensor? { try picture?(graph, states) }

    // MARK: what stands behind

    /// What the last layer says for each patch, `[patch values, patches]`: within a patch channels fastest.
    func output(_ graph: Graph, _ x: Tensor, time: Tensor, timeOf: Tensor?) throws -> Tensor {
        func part(_ index: Int, plus offset: Float = 0) throws -> Tensor {
            let row = try graph.reshape(graph.contiguous(graph.slice(table, axis: 1, index..<index + 1)), [config.dim])
            return try WanTime.spread(graph, graph.scale(graph.add(time, row), plus: offset), timeOf)
        }
        return try final(graph, WanTime.modulate(graph, x, scale: part(1, plus: 1), shift: part(0), config.epsilon))
    }

    // MARK: layouts

    func grid(_ shape: [Int]) -> WanGrid {
        WanGrid(frames: shape[1], rows: shape[2] / config.patch_size[1], columns: shape[3] / config.patch_size[2])
    }

    /// `[patch values, patches]` of latents `[channels, frames, height, width]`, several of them one after the other: within
    /// a patch columns fastest, then rows, then channels.
    func patches(_ latents: [Float], _ shape: [Int]) -> [Float] {
        let (grid, down, across) = (grid(shape), config.patch_size[1], config.patch_size[2])
        let (height, width) = (shape[2], shape[3])
        var values: [Float] = []
        values.reserveCapacity(latents.count)
        for frame in 0..<grid.frames {
            for row in 0..<grid.rows {
                for column in 0..<grid.columns {
                    for channel in 0..<latents.count / (grid.frames * height * width) {
                        let plane = (channel * grid.frames + frame) * height
                        for y in 0..<down {
                            let start = (plane + row * down + y) * width + column * across
                            values.append(contentsOf: latents[start..<start + across])
                        }
                    }
                }
            }
        }
        return values
    }

    /// Latents `[channels, frames, height, width]` of what ``output(_:_:time:timeOf:)`` says.
    func latents(_ patches: [Float], _ shape: [Int]) -> [Float] {
        let (grid, down, across, channels) = (grid(shape), config.patch_size[1], config.patch_size[2], config.outputs)
        let (height, width) = (shape[2], shape[3])
        var values = [Float](repeating: 0, count: patches.count)
        var place = 0
        for frame in 0..<grid.frames {
            for row in 0..<grid.rows {
                for column in 0..<grid.columns {
                    for y in 0..<down {
                        for x in 0..<across {
                            let target = (frame * height + row * down + y) * width + column * across + x
                            for channel in 0..<channels {
                                values[channel * grid.frames * height * width + target] = patches[place]
                                place += 1
                            }
                        }
                    }
                }
            }
        }
        return values
    }
}

/// The patches of an input picture, as Wan 2.1's picture-to-video models see them besides the text.
struct WanPictureEmbedder: Sendable {
    private let before, after: LayerNorm
    private let up, down: Linear

    init(_ weights: Weights, _ features: Int, _ dim: Int) throws {
        before = try LayerNorm(weights.at("norm1"), features, epsilon: 1e-5)
        up = try Linear(weights.at("ff.net.0.proj"), features, features, bias: true)
        down = try Linear(weights.at("ff.net.2"), features, dim, bias: true)
        after = try LayerNorm(weights.at("norm2"), dim, epsilon: 1e-5)
    }

    func callAsFunction(_ graph: Graph, _ states: Tensor) throws -> Tensor {
        try after(graph, down(graph, graph.geluExact(up(graph, before(graph, states)))))
    }
}
