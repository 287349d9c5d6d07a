import OmniEngine
import OmniTensor

/// One request from prompt to frames, on the thread that computes: encode → denoise → decode, for every family.
struct VideoPipeline {
    let family: any VideoFamily
    let executor: Executor
    let scope: ComputeScope
    let plan: VideoPlan
    let emit: (VideoEvent) throws -> Void
    /// Sees the latents after each step.
    var observe: (DenoisingStep) -> Void = { _ in }

    func run() throws {
        let latents: VideoLatents
        if let finished = plan.latents {
            latents = finished
        } else {
            latents = try film()
            try emit(.latents(latents))
        }
        try decode(latents)
    }

    private func film() throws -> VideoLatents {
        let conditions = try encodePrompts()
        let start = try plan.picture.map { picture in
            let start = try family.start(executor, scope, plan, picture)
            guard start.isFinite else { throw ImageModelError.notFinite(stage: "encoding the picture", cause: "what the encoders made of it") }
            try emit(.progress(.encodeImage, step: 1, steps: 1))
            return start
        }
        var generator = TorchGenerator(seed: plan.seed)
        let noise = generator.normal(plan.shape.reduce(1, *))
        let values = family.finish(try denoise(noise, conditions, start), plan, start)
        guard let latents = VideoLatents(shape: plan.shape, values: values) else { throw DiffusionError.unsupported("latents of \(plan.shape)") }
        return latents
    }

    /// The prompt, and the negative prompt where guidance wants it.
    private func encodePrompts() throws -> [Condition] {
        let prompts = plan.guidance.needsNegative ? [plan.tokens, plan.negativeTokens] : [plan.tokens]
        return try prompts.enumerated().map { index, tokens in
            var shape: [Int] = []
            let values = try executor.evaluate(scope) { graph in
                let condition = try family.condition(graph, tokens: tokens)
                shape = condition.shape
                return [condition]
            }[0]
            guard values.allSatisfy(\.isFinite) else { throw ImageModelError.notFinite(stage: "text encoding", cause: "the text encoder's states") }
            try emit(.progress(.encodePrompt, step: index + 1, steps: prompts.count))
            return Condition(values: values, tokens: tokens.count, shape: shape)
        }
    }

    private func denoise(_ noise: [Float], _ conditions: [Condition], _ start: VideoStart?) throws -> [Float] {
        let schedule = plan.schedule
        let loop = DenoisingLoop(schedule: schedule, start: 0) { plan.isLate(schedule.timestep($0)) ? plan.lateGuidance : plan.guidance }
        return try loop.run([noise], cancellation: scope.cancellation) { asks, index in
            let time = schedule.timestep(index)
            return try asks.map { ask in
                let ask = VideoAsk(latents: ask.latents, time: time, isLate: plan.isLate(time), condition: conditions[ask.negative ? 1 : 0], start: start)
                return try family.velocity(executor, scope, plan, ask)
            }
        } blend: { latents, _, _ in latents } watch: { step in
            observe(step)
            try emit(.progress(.denoise, step: step.done, steps: step.total))
        }[0]
    }

    private func decode(_ latents: VideoLatents) throws {
        let vae = family.vae
        let count = plan.frames
        try vae.decode(executor, scope, vae.denormalized(latents), tiling: plan.tiling) { index, frame in
            guard frame.values.allSatisfy(\.isFinite) else { throw ImageModelError.notFinite(stage: "decoding", cause: "the autoencoder's frame") }
            try emit(.frame(index: index, count: count, frame))
            try emit(.progress(.decode, step: index + 1, steps: count))
        }
    }
}
