import OmniEngine
import OmniTensor

extension WanFamily {
    func plan(_ request: VideoRequest, _ context: PlanningContext) throws -> DenoisingPlan {
        var clip = try WanClip(request, self, isEstimate: context.isEstimate)
        let schedule = try scheduler.schedule(steps: clip.settings.steps, .own(shift: request.flowShift))
        let memory = try self.memory(&clip, context)
        let (planned, experts) = (clip, clip.experts)
        var plan = DenoisingPlan(
            shape: clip.shape, longestSide: max(clip.settings.width, clip.settings.height), count: 1, schedule: schedule,
            guidance: { experts.guidance(at: schedule.timestep($0)) }, prepare: { try denoiser(planned, schedule, $0) })
        (plan.adapters, plan.finished) = (request.adapters, request.latents.map { [$0.values] })
        (plan.tilesDecode, plan.memory) = (memory.tiles, memory.bytes)
        return plan
    }

    /// Throws for a clip that the transformer has no positions for.
    func check(_ shape: LatentShape) throws {
        let grid = transformer.grid(shape.dimensions)
        let limit = transformer.config.longestAxis
        guard max(grid.rows, grid.columns) <= limit else {
            throw ImageModelError.invalid(parameter: "size", reason: "may be at most \(limit * defaults.multiple) pixels on a side")
        }
        guard grid.frames <= limit else {
            throw ImageModelError.invalid(parameter: "num_frames", reason: "may be at most \(vae.frames(latents: limit))")
        }
    }

    // MARK: steps

    private func denoiser(_ clip: WanClip, _ schedule: any NoiseSchedule, _ run: PipelineRun) throws -> Denoiser {
        let conditions = try run.encodePrompts(clip.prompts) { try encoder.states($0, ids: $1) }
        let start = try clip.picture.map { picture in
            let start = try self.start(clip, picture, run)
            guard start.isFinite else {
                throw ImageModelError.notFinite(stage: "encoding the picture", cause: "what the encoders made of it")
            }
            try run.progress(.encodeImage, 1, of: 1)
            return start
        }
        var generator = TorchGenerator(seed: clip.settings.request.seed)
        var denoiser = Denoiser(latents: [generator.normal(clip.shape.count)]) { requests, index in
            let time = schedule.timestep(index)
            let transformer = transformers[clip.experts.isLate(time) ? 1 : 0]
            return try requests.map { request in
                let input = self.input(transformer, clip, request.latents, time: time, conditions[request.negative ? 1 : 0], start)
                let output = try transformer.evaluate(input, blocksPerGraph: clip.blocksPerGraph, run.executor, run.scope)
                return transformer.latents(output, clip.shape.dimensions)
            }
        }
        denoiser.finish = { startingFrame($0, clip.shape, start) }
        return denoiser
    }

    private func input(
        _ transformer: WanTransformer, _ clip: WanClip, _ latents: [Float], time: Float, _ condition: Condition, _ start: WanStart?
    ) -> WanInput {
        let shape = clip.shape.dimensions
        let grid = transformer.grid(shape)
        var latents = latents
        switch (startKind, start) {
        case (.channels, let start?): latents += mask(clip.shape) + start.latents.values
        case (.frame, let start?):
            let patches = transformer.patches(startingFrame(latents, clip.shape, start), shape)
            return WanInput(transformer, grid, patches: patches, times: [0, time], timeOf: Self.given(grid), condition: condition)
        default: break
        }
        return WanInput(
            transformer, grid, patches: transformer.patches(latents, shape), times: [time], timeOf: nil, condition: condition,
            picture: start?.seen)
    }

    /// The first frame's patches have the first time.
    private static func given(_ grid: WanGrid) -> [Int32] { (0..<grid.count).map { $0 < grid.area ? 0 : 1 } }

    // MARK: memory

    /// Bytes of working memory: the largest graph, and the arrays that live beside it; and whether frames are decoded in tiles. Sets how
    /// many blocks a graph has.
    private func memory(_ clip: inout WanClip, _ context: PlanningContext) throws -> (bytes: Int, tiles: Bool) {
        let executor = try context.executor()
        let (shape, width, height) = (clip.shape, clip.settings.width, clip.settings.height)
        var (price, texts) = (GraphPrice(), 0)
        if clip.settings.request.latents == nil {
            price = try executor.price { graph in
                let condition = try encoder.states(graph, ids: [Int](repeating: 0, count: clip.longestPrompt))
                texts = condition.count
                return [condition]
            }
            do {
                price = price.then(try stepMemory(&clip, executor))
            } catch TensorError.tooManyNodes {
                throw ImageModelError.invalid(
                    parameter: "size",
                    reason: "\(width)x\(height) with \(clip.settings.frames) frames is more than one step can compute; ask for less")
            }
            if clip.picture != nil { price = price.then(try startMemory(clip, executor)) }
        }
        var decode = try vae.decodePrice(executor, width: shape.width, height: shape.height)
        let tiles = context.tiles(decode.total)
        if tiles { decode = try vae.decodePrice(executor, width: shape.width, height: shape.height, tiling: VideoTiling()) }
        // A solver's memory, what goes into the transformer and comes out of it; a chunk of frames.
        let arrays = 4 * (14 * shape.count + 2 * texts + 3 * 3 * vae.config.frameScale * width * height)
        return (price.then(decode).total + arrays + PlanningContext.overhead, tiles)
    }

    private func stepMemory(_ clip: inout WanClip, _ executor: Executor) throws -> GraphPrice {
        let grid = transformer.grid(clip.shape.dimensions)
        let startsInFrame = startKind == .frame && clip.picture != nil
        let condition = Condition(values: [], tokens: clip.longestPrompt, shape: [])
        let input = WanInput(
            transformer, grid, patches: [], times: startsInFrame ? [0, 0] : [0], timeOf: startsInFrame ? [] : nil, condition: condition,
            picture: eye.map { WanInput.Picture(shape: [$0.config.hidden_size, $0.config.places], values: []) })
        let prices = try transformers.map { try $0.price(input, executor) }
        clip.blocksPerGraph = prices.map(\.blocksPerGraph).min() ?? 1
        return prices.reduce(GraphPrice()) { $0.then($1.price) }
    }
}
