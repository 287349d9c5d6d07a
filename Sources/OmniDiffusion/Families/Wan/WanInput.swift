import OmniTensor

/// What the transformer is asked at a step.
struct WanInput {
    let grid: WanGrid
    /// Latents, with what else stands in the channels, `[patch values, patches]`.
    let patches: [Float]
    /// One, or one for the frames that are given and one for the others.
    let times: [Float]
    /// For each patch which of the times is its own, where there are several; empty when only measured.
    let timeOf: [Int32]?
    /// Rows of text, those for empty places among them.
    let texts: Int
    let text: [Float]
    let textBias: [Float]?
    /// `[features, patches]` of an input picture.
    let picture: Picture?

    struct Picture: Sendable {
        let shape: [Int]
        let values: [Float]
    }

    /// - Parameters:
    ///   - condition: the text encoder's states of a prompt; without values only measured.
    ///   - patches: as ``WanTransformer/patches(_:_:)`` lays them out; empty when only measured.
    init(
        _ transformer: WanTransformer, _ grid: WanGrid, patches: [Float], times: [Float], timeOf: [Int32]?, condition: Condition,
        picture: Picture? = nil
    ) {
        let places = WanTransformer.textPlaces
        (self.grid, self.patches, self.times, self.timeOf, self.picture) = (grid, patches, times, timeOf, picture)
        texts = WanTransformer.rows(tokens: condition.tokens)
        (text, textBias) =
            condition.values.isEmpty
            ? ([], condition.tokens < places ? [] : nil) : WanTransformer.places(condition.values, width: transformer.config.text_dim)
    }
}

/// The denoiser at work: in one graph, or in several, one after the other, where one would have too many nodes.
extension WanTransformer {
    /// What blocks and last layer take.
    private struct States {
        var x: Tensor
        let time, modulation: Tensor
        let context: WanContext
    }

    /// What ``output(_:_:time:timeOf:)`` says of `input`, in one graph.
    func whole(_ graph: Graph, _ input: WanInput) throws -> Tensor {
        let stem = try stem(graph, input)
        let states = try states(graph, input, stem)
        return try finished(graph, through(graph, states, blocks.indices))
    }

    /// The same in graphs of `blocksPerGraph` blocks.
    func evaluate(_ input: WanInput, blocksPerGraph: Int, _ executor: Executor, _ scope: ComputeScope) throws -> [Float] {
        guard blocksPerGraph < blocks.count else { return try executor.evaluate(scope) { [try whole($0, input)] }[0] }
        var shapes: [[Int]] = []
        var values = try executor.evaluate(scope) { graph in
            let stem = try stem(graph, input)
            shapes = stem.map(\.shape)
            return stem
        }
        for range in ranges(blocksPerGraph) {
            values[0] = try executor.evaluate(scope) { graph in
                let states = try states(graph, input, zip(shapes, values).map { shape, values in try graph.input(shape, values) })
                let after = try through(graph, states, range)
                return [range.upperBound == blocks.count ? try finished(graph, after) : after.x]
            }[0]
        }
        return values[0]
    }

    /// How many blocks a graph can have, and what it takes.
    func price(_ input: WanInput, _ executor: Executor) throws -> (price: GraphPrice, blocksPerGraph: Int) {
        do {
            return (try executor.price { [try whole($0, input)] }, blocks.count)
        } catch TensorError.tooManyNodes {}
        var shapes: [[Int]] = []
        let first = try executor.price { graph in
            let stem = try stem(graph, input)
            shapes = stem.map(\.shape)
            return stem
        }
        var count = blocks.count / 2
        while true {
            do {
                let part = try executor.price { graph in
                    let states = try states(graph, input, shapes.map { try graph.input($0, []) })
                    return [try finished(graph, through(graph, states, 0..<max(1, count)))]
                }
                return (first.then(part), max(1, count))
            } catch TensorError.tooManyNodes where count > 1 {
                count /= 2
            }
        }
    }

    private func ranges(_ count: Int) -> [Range<Int>] {
        stride(from: 0, to: blocks.count, by: count).map { $0..<min($0 + count, blocks.count) }
    }

    /// Clip, times, what the times say, text, and the input picture where there is one.
    private func stem(_ graph: Graph, _ input: WanInput) throws -> [Tensor] {
        let x = try embedded(graph, patches: graph.input([config.patchSize * config.in_channels, input.grid.count], input.patches))
        let time = try time(graph, input.times)
        let text = try text(graph, graph.input([config.text_dim, input.texts], input.text))
        let picture = try input.picture.flatMap { try self.picture(graph, graph.input($0.shape, $0.values)) }
        return [x, time, try modulation(graph, time), text] + (picture.map { [$0] } ?? [])
    }

    private func states(_ graph: Graph, _ input: WanInput, _ stem: [Tensor]) throws -> States {
        let context = WanContext(
            text: stem[3], textBias: try input.textBias.map { bias in try graph.input([input.texts], bias) },
            picture: stem.count > 4 ? stem[4] : nil,
            rotation: try rotation(graph, input.grid),
            timeOf: try input.timeOf.map { times in try graph.input([input.grid.count], integers: times) })
        let times = input.times.count
        return States(
            x: stem[0], time: try graph.reshape(stem[1], [config.dim, times]),
            modulation: try graph.reshape(stem[2], [config.dim, 6, times]), context: context)
    }

    private func through(_ graph: Graph, _ states: States, _ range: Range<Int>) throws -> States {
        var states = states
        for block in blocks[range] { states.x = try block(graph, states.x, time: states.modulation, states.context, precision) }
        return states
    }

    private func finished(_ graph: Graph, _ states: States) throws -> Tensor {
        try output(graph, states.x, time: states.time, timeOf: states.context.timeOf)
    }
}
