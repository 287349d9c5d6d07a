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
    /// Predictions that the model is asked for together.
    let batch: Int

    init(schedule: any NoiseSchedule, start: Int, cacheThreshold: Float = 0, batch: Int = 1, guidance: @escaping (_ index: Int) -> Guidance)
    {
        (self.schedule, self.start, self.cacheThreshold, self.batch, self.guidance) = (schedule, start, cacheThreshold, batch, guidance)
    }

    /// One prediction that is wanted: for a picture's latents, for the prompt or for the negative prompt.
    struct Request: Equatable {
        let latents: [Float]
        let picture: Int
        let negative: Bool
    }

    /// The model's velocities at step `index`, one for each request.
    typealias Predict = (_ requests: [Request], _ index: Int) throws -> [[Float]]

    /// Runs from step `start` to the end.
    ///
    /// - Parameters:
    ///   - latents: one array for each picture.
    ///   - blend: changes latents after step `index`, as inpainting does.
    ///   - watch: called after each step.
    func run(
        _ latents: [[Float]], cancellation: CancellationToken, predict: Predict,
        blend: (_ latents: [Float], _ picture: Int, _ index: Int) -> [Float],
        watch: (DenoisingStep) throws -> Void
    ) throws -> [[Float]] {
        var latents = latents
        var cache = StepCache(threshold: cacheThreshold)
        var solvers = latents.map { _ in schedule.solver() }
        for index in start..<schedule.steps {
            var clean: [[Float]] = []
            let velocities = try velocities(latents, index, &cache, cancellation, predict)
            for (picture, velocity) in velocities.enumerated() {
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

    /// The guided velocity of each picture: what the cache lacks is asked of the model, some at a time.
    private func velocities(
        _ latents: [[Float]], _ index: Int, _ cache: inout StepCache, _ cancellation: CancellationToken, _ predict: Predict
    ) throws -> [[Float]] {
        let guidance = guidance(index)
        let signs = guidance.applies(at: schedule.progress(index)) ? [false, true] : [false]
        let requests = latents.enumerated().flatMap { picture, latents in
            signs.map { Request(latents: latents, picture: picture, negative: $0) }
        }
        let forced = index == start || index + 1 == schedule.steps
        var known = requests.map { forced ? nil : cache.prediction($0) }
        let missing = requests.indices.filter { known[$0] == nil }
        for first in stride(from: 0, to: missing.count, by: batch) {
            try cancellation.check()
            let places = missing[first..<min(first + batch, missing.count)]
            for (place, velocity) in zip(places, try predict(places.map { requests[$0] }, index)) {
                cache.keep(velocity, for: requests[place])
                known[place] = velocity
            }
        }
        let all = known.compactMap(\.self)
        guard signs.count == 2 else { return all }
        return stride(from: 0, to: all.count, by: 2).map { guidance.combine(positive: all[$0], negative: all[$0 + 1]) }
    }
}
