import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

/// Wan 2.1 and 2.2: UMT5 as text encoder, one transformer or two experts, a causal 3D autoencoder.
struct WanFamily: VideoFamily {
    static let pipelineClasses = ["WanPipeline", "WanImageToVideoPipeline"]

    /// How a picture to start from reaches the transformer.
    enum Start: Sendable {
        /// It cannot.
        case none
        /// As further channels: a mask and latents of the film with nothing after the picture.
        case channels
        /// In place of the first frame, which has the time of a finished one.
        case frame
    }

    let defaults: VideoDefaults
    let vae: AutoencoderKLWan
    let scheduler: any NoiseScheduler
    let boundaryRatio: Float?
    let stores: [WeightStore]
    let startKind: Start
    let tokenizer: Tokenizer
    let encoder: UMT5Encoder
    /// For much noise, and for little where there are two.
    let transformers: [WanTransformer]
    /// Looks at the picture, for transformers that take it so besides.
    let eye: CLIPVisionEncoder?

    var transformer: WanTransformer { transformers[0] }
    var adaptable: WeightStore { stores[1] }

    func order(_ name: String, _ outputs: Int) -> [Int]? { WanBlock.order(name, outputs, head: transformer.config.head) }

    /// The name in Wan's own code, which most adapters were made with.
    func alias(_ module: String) -> String? {
        Self.ownNames.reduce(module) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    private static let ownNames = [
        ("attn1.", "self_attn."), ("attn2.", "cross_attn."), (".to_out.0", ".o"), (".to_q", ".q"), (".to_k", ".k"), (".to_v", ".v"),
        ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"), ("condition_embedder.time_proj", "time_projection.1"),
        ("condition_embedder.text_embedder.linear_1", "text_embedding.0"), ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
        ("condition_embedder.time_embedder.linear_1", "time_embedding.0"), ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
        ("proj_out", "head.head"),
    ]

    func tokenize(_ prompt: String) throws -> [Int] { tokenizer.encode(PromptCleaning.clean(prompt), limit: WanTransformer.textPlaces) }

    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor { try encoder.states(graph, ids: tokens) }

    func check(_ shape: [Int]) throws {
        let grid = transformer.grid(shape)
        let limit = transformer.config.longestAxis
        guard max(grid.rows, grid.columns) <= limit else {
            throw ImageModelError.invalid(parameter: "size", reason: "may be at most \(limit * defaults.multiple) pixels on a side")
        }
        guard grid.frames <= limit else {
            throw ImageModelError.invalid(parameter: "num_frames", reason: "may be at most \(vae.frames(latents: limit))")
        }
    }

    // MARK: steps

    func velocity(_ executor: Executor, _ scope: ComputeScope, _ plan: VideoPlan, _ ask: VideoAsk) throws -> [Float] {
        let transformer = transformers[ask.isLate ? 1 : 0]
        let output = try transformer.evaluate(input(transformer, plan, ask), blocksPerGraph: plan.blocksPerGraph, executor, scope)
        return transformer.latents(output, plan.shape)
    }

    private func input(_ transformer: WanTransformer, _ plan: VideoPlan, _ ask: VideoAsk) -> WanInput {
        let grid = transformer.grid(plan.shape)
        var latents = ask.latents
        switch (startKind, ask.start) {
        case (.channels, let start?): latents += mask(plan.shape) + start.latents.values
        case (.frame, let start?):
            let patches = transformer.patches(finish(latents, plan, start), plan.shape)
            return WanInput(
                transformer, grid, patches: patches, times: [0, ask.time], timeOf: Self.given(grid), condition: ask.condition)
        default: break
        }
        return WanInput(
            transformer, grid, patches: transformer.patches(latents, plan.shape), times: [ask.time], timeOf: nil, condition: ask.condition,
            picture: ask.start?.seen)
    }

    func stepPrice(_ executor: Executor, _ plan: VideoPlan) throws -> (price: GraphPrice, blocksPerGraph: Int) {
        let grid = transformer.grid(plan.shape)
        let startsInFrame = startKind == .frame && plan.picture != nil
        let condition = Condition(values: [], tokens: max(plan.tokens.count, plan.negativeTokens.count), shape: [])
        let input = WanInput(
            transformer, grid, patches: [], times: startsInFrame ? [0, 0] : [0], timeOf: startsInFrame ? Self.given(grid) : nil, condition: condition,
            picture: eye.map { WanInput.Picture(shape: [$0.config.hidden_size, $0.config.places], values: []) })
        let prices = try transformers.map { try $0.price(input, executor) }
        return (prices.reduce(GraphPrice()) { $0.then($1.price) }, prices.map(\.blocksPerGraph).min() ?? 1)
    }

    /// The first frame's patches have the first time.
    private static func given(_ grid: WanGrid) -> [Int32] { (0..<grid.count).map { $0 < grid.area ? 0 : 1 } }

    // MARK: a picture to start from

    func startPrice(_ executor: Executor, _ plan: VideoPlan) throws -> GraphPrice {
        let seen = try eye.map { eye in try executor.price { [try eye.states($0, pixels: [])] } } ?? GraphPrice()
        return seen.then(try vae.encodePrice(executor, width: plan.width, height: plan.height))
    }

    func start(_ executor: Executor, _ scope: ComputeScope, _ plan: VideoPlan, _ picture: FloatImage) throws -> VideoStart {
        // Grey, the middle of the range, stands for nothing.
        let grey = [Float](repeating: 0.5, count: picture.values.count)
        let frames = startKind == .channels ? plan.frames : 1
        let moments = try vae.encode(executor, scope, frames: frames, width: plan.width, height: plan.height) { index in
            guard index > 0, let empty = FloatImage(width: plan.width, height: plan.height, values: grey) else { return picture }
            return empty
        }
        let seen = try eye.map { eye in
            let values = try executor.evaluate(scope) { [try eye.states($0, pixels: eye.processor.pixels(picture))] }[0]
            return WanInput.Picture(shape: [eye.config.hidden_size, eye.config.places], values: values)
        }
        return VideoStart(latents: try vae.normalized(vae.mode(moments)), seen: seen)
    }

    /// `[frames for each latent, frames, height, width]`: 1 in the first frame.
    private func mask(_ shape: [Int]) -> [Float] {
        let area = shape[2] * shape[3]
        let channel = [Float](repeating: 1, count: area) + [Float](repeating: 0, count: (shape[1] - 1) * area)
        return (0..<defaults.frameMultiple).flatMap { _ in channel }
    }

    func finish(_ latents: [Float], _ plan: VideoPlan, _ start: VideoStart?) -> [Float] {
        guard startKind == .frame, let start else { return latents }
        let (area, length) = (plan.shape[2] * plan.shape[3], plan.shape[1] * plan.shape[2] * plan.shape[3])
        var latents = latents
        for channel in 0..<plan.shape[0] {
            latents.replaceSubrange(channel * length..<channel * length + area, with: start.latents.values[channel * area..<(channel + 1) * area])
        }
        return latents
    }
}
