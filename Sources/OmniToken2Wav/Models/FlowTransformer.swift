import OmniTensor

/// The transformer that says where a noisy spectrogram should flow to, given codes and a voice (transformers'
/// `Qwen2_5OmniToken2WavDiTModel`).
struct FlowTransformer: Sendable {
    let config: FlowConfig
    private let codes: Tensor
    private let input, output: Linear
    private let blocks: [FlowBlock]
    /// Position over divisor is the angle of a pair.
    private let divisors: [Float]

    init(_ config: FlowConfig, _ store: WeightStore, frequencies: [Float]?) throws {
        self.config = config
        let weights = Weights(store, TensorNames.flow)
        codes = try weights("text_embed.codec_embed.weight", config.codeWidth, config.codes + 1)
        input = try Linear(weights.at("input_embed.proj"), config.inputs, config.hidden, bias: true)
        blocks = try (0..<config.layers).map { try FlowBlock(config, weights.at("transformer_blocks.\($0)"), layer: $0) }
        output = try Linear(weights.at("proj_out"), config.hidden, config.mel, bias: true)
        // The file's frequencies are what the model was trained with: rounded, they turn late positions by much less than they should.
        divisors = (frequencies ?? config.frequencies).map { 1 / $0 }
    }

    /// First and last layers and the table of codes stay as they are.
    static func keeps(_ name: String) -> Bool { !name.contains(".transformer_blocks.") }

    /// What the codes and a voice say of each frame, `[inputs − mel, frames · repeats]`: once for all evaluations.
    ///
    /// - Parameters:
    ///   - codes: 0 throughout for none.
    ///   - encoded: the voice as ``SpeakerEncoder`` has it.
    ///   - voice: its own embedding.
    func conditions(_ executor: Executor, _ scope: ComputeScope, codes: [Int32], encoded: [Float], voice: [Float]) throws -> [Float] {
        let rows = try executor.evaluate(scope) { [try $0.embedding(self.codes, ids: $0.input([codes.count], integers: codes))] }[0]
        var all: [Float] = []
        all.reserveCapacity(codes.count * config.repeats * (config.inputs - config.mel))
        for place in codes.indices {
            let row = rows[place * config.codeWidth..<(place + 1) * config.codeWidth]
            for _ in 0..<config.repeats {
                all += encoded
                all += row
                all += voice
            }
        }
        return all
    }

    /// The velocity `[mel, frames]` of each sequence, one after the other.
    ///
    /// - Parameters:
    ///   - latents: `[mel, frames]`, the same for all sequences.
    ///   - conditions: of each sequence, as ``conditions(_:_:codes:encoded:voice:)`` made them.
    ///   - time: the place of the time among those of `modulations`.
    func callAsFunction(_ graph: Graph, latents: [Float], conditions: [[Float]], modulations: Modulations, time: Int) throws -> Tensor {
        let frames = latents.count / config.mel
        let noisy = try graph.input([config.mel, frames], latents)
        let known = try graph.input([config.inputs - config.mel, frames * conditions.count], conditions.flatMap { $0 })
        let copies = try graph.concat([Tensor](repeating: noisy, count: conditions.count), axis: 1)
        let (layers, last) = (modulations.layers[time], modulations.last[time])
        let context = FlowContext(
            sequences: [Int](repeating: frames, count: conditions.count),
            rotation: try PairRotation(graph, positions: conditions.flatMap { _ in (0..<Int32(frames)) }, divisors: divisors),
            modulations: try graph.input([layers.count], layers))
        var x = try input(graph, graph.concat([copies, known], axis: 0))
        for block in blocks { x = try block(graph, x, context) }
        let factors = try graph.input([2 * config.hidden], last)
        func part(_ index: Int) throws -> Tensor { try graph.slice(factors, axis: 0, index * config.hidden..<(index + 1) * config.hidden) }
        return try output(graph, graph.modulatedNorm(x, scale: part(0), shift: part(1), epsilon: FlowConfig.epsilon))
    }
}
