import OmniEngine

/// Where the loop stands after a step, for whoever watches.
struct DenoisingStep {
    let index: Int
    /// Steps of this run, from its start.
    let done: Int
    let total: Int
    /// For each picture the latents after the step.
    let latents: [[Float]]
    /// For each picture the latents as the model would finish them now.
    let clean: [[Float]]
}

/// From noise to latents, for every family: at each step predict, guide, go on.
struct DenoisingLoop {
    let schedule: any NoiseSchedule
    let start: Int
    /// The guidance of step `index`.
    let guidance: (_ index: Int) -> Guidance
    let cacheThreshold: Float

    init(schedule: any NoiseSchedule, start: Int, cacheThreshold: Float = 0, guidance: @escaping (_ index: Int) -> Guidance) {
        (self.schedule, self.start, self.cacheThreshold, self.guidance) = (schedule, start, cacheThreshold, guidance)
    }

    /// The model's velocity for one picture's latents at step `index`, for the prompt or for the negative prompt.
    typealias Predict = (_ latents: [Float], _ index: Int, _ negative: Bool) throws -> [Float]

    /// Runs from step `start` to the end.
    ///
    /// - Parameters:
    ///   - latents: one array for each picture.
    ///   - blend: changes latents after step `index`, as inpainting does.
    ///   - watch: called after each step.
    func run(_ latents: [[Float]], cancellation: CancellationToken, predict: Predict, blend: (_ latents: [Float], _ picture: Int, _ index: Int) -> [Float],
             watch: (DenoisingStep) throws -> Void) throws -> [[Float]] {
        var latents = latents
        var cache = StepCache(threshold: cacheThreshold)
        var solvers = latents.map { _ in schedule.solver() }
        for index in start..<schedule.steps {
            var clean: [[Float]] = []
            for picture in latents.indices {
                try cancellation.check()
                let velocity = try self.velocity(index) { negative in
                    let forced = index == start || index + 1 == schedule.steps
                    return try cache.prediction(latents[picture], picture: picture, negative: negative, forced: forced) {
                        try predict(latents[picture], index, negative)
                    }
                }
                guard velocity.allSatisfy(\.isFinite) else {
                    throw ImageModelError.notFinite(stage: "denoising step \(index + 1 - start)", cause: "the transformer's prediction")
                }
                clean.append(schedule.clean(latents[picture], velocity: velocity, index))
                latents[picture] = blend(solvers[picture].step(latents[picture], velocity: velocity, index), picture, index)
            }
            try watch(DenoisingStep(index: index, done: index + 1 - start, total: schedule.steps - start, latents: latents, clean: clean))
        }
        return latents
    }

    private func velocity(_ index: Int, _ predict: (_ negative: Bool) throws -> [Float]) throws -> [Float] {
        let positive = try predict(false)
        let guidance = guidance(index)
        guard guidance.applies(at: schedule.progress(index)) else { return positive }
        return guidance.combine(positive: positive, negative: try predict(true))
    }
}
