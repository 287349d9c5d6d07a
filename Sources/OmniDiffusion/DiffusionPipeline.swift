import Foundation
import OmniEngine
import OmniTensor

/// One request from prompt to pictures, on the thread that computes: encode → denoise → decode, for every family.
struct DiffusionPipeline {
    let family: any DiffusionFamily
    let executor: Executor
    let scope: ComputeScope
    let plan: ImagePlan
    let emit: (ImageEvent) -> Void
    /// Sees the latents after each step: whoever keeps the last ones can decode them again.
    var observe: (DenoisingStep) -> Void = { _ in }

    func run() throws {
        let conditions = try encodePrompts()
        var generator = TorchGenerator(seed: plan.seed)
        let picture = try encodeInput(&generator)
        let noise = draw(&generator)
        let latents = try denoise(conditions, noise: noise, picture: picture)
        for index in latents.indices {
            let image = try decode(latents[index], index)
            emit(.image(index: index, image))
        }
    }

    // MARK: encode

    /// The prompt, and the negative prompt where guidance wants it.
    func encodePrompts() throws -> [Condition] {
        let prompts = plan.guidance.needsNegative ? [plan.tokens, plan.negativeTokens] : [plan.tokens]
        return try prompts.enumerated().map { index, tokens in
            var shape: [Int] = []
            let values = try executor.evaluate(scope) { graph in
                let condition = try family.condition(graph, tokens: tokens)
                shape = condition.shape
                return [condition]
            }[0]
            guard values.allSatisfy(\.isFinite) else { throw ImageModelError.notFinite(stage: "text encoding", cause: "the text encoder's states") }
            emit(.progress(.encodePrompt, step: index + 1, steps: prompts.count))
            return Condition(values: values, tokens: tokens.count, shape: shape)
        }
    }

    /// Latents of the input picture, drawn from the distribution that the autoencoder gives.
    func encodeInput(_ generator: inout TorchGenerator) throws -> Plane? {
        guard let input = plan.input else { return nil }
        let picture = Plane(width: input.width, height: input.height, channels: 3) { x, y, channel in
            2 * input.values[(y * input.width + x) * 3 + channel] - 1
        }
        let tiled = plan.tilesEncode && max(picture.width, picture.height) > family.vae.tileSide
        let moments = try tiled ? family.vae.encodeTiled(executor, scope, picture) : family.vae.encode(executor, scope, picture)
        emit(.progress(.encodeImage, step: 1, steps: 1))
        return latents(moments, &generator)
    }

    /// `mean + deviation · noise`, shifted and scaled as the denoiser wants it.
    func latents(_ moments: Plane, _ generator: inout TorchGenerator) -> Plane {
        let config = family.vae.config
        let half = moments.values.count / 2
        let noise = generator.normal(half)
        let values = (0..<half).map { index in
            let deviation = exp(0.5 * min(max(moments.values[half + index], -30), 20))
            return (moments.values[index] + deviation * noise[index] - (config.shift_factor ?? 0)) * config.scaling_factor
        }
        return Plane(width: moments.width, height: moments.height, channels: moments.channels / 2, values: values)
    }

    /// One array of noise for each picture, drawn as one tensor.
    private func draw(_ generator: inout TorchGenerator) -> [[Float]] {
        let size = plan.latents.values.count
        let all = generator.normal(size * plan.count)
        return (0..<plan.count).map { Array(all[$0 * size..<($0 + 1) * size]) }
    }

    // MARK: denoise

    func denoise(_ conditions: [Condition], noise: [[Float]], picture: Plane?) throws -> [[Float]] {
        let schedule = plan.schedule
        let loop = DenoisingLoop(schedule: schedule, start: plan.start, cacheThreshold: plan.cacheThreshold, batch: plan.batch) { _ in plan.guidance }
        let first = noise.map { noise in picture.map { schedule.noised($0.values, noise, before: plan.start) } ?? noise }
        let watcher = PreviewTimer(previews: plan.previews, steps: schedule.steps - plan.start)
        return try loop.run(first, cancellation: scope.cancellation) { asks, index in
            let asked = asks.map { ImageAsk(latents: plan.latents.with($0.latents), condition: conditions[$0.negative ? 1 : 0]) }
            let velocities = try executor.evaluate(scope) { [try family.velocity($0, asked, progress: schedule.progress(index))] }[0]
            let size = velocities.count / asks.count
            return asks.indices.map { family.unpack(Array(velocities[$0 * size..<($0 + 1) * size]), like: plan.latents).values }
        } blend: { latents, index, step in
            guard let mask = plan.mask, let picture else { return latents }
            // Outside the mask stands the input, at the noise level of the next step.
            let last = step + 1 == schedule.steps
            let kept = last ? picture.values : schedule.noised(picture.values, noise[index], before: step + 1)
            return latents.indices.map { (1 - mask[$0 % mask.count]) * kept[$0] + mask[$0 % mask.count] * latents[$0] }
        } watch: { step in
            observe(step)
            emit(.progress(.denoise, step: step.done, steps: step.total))
            guard let number = watcher.preview(after: step.done) else { return }
            for (index, clean) in step.clean.enumerated() {
                emit(.preview(index: index, number: number, try preview(plan.latents.with(clean))))
            }
        }
    }

    // MARK: decode

    func decode(_ latents: [Float], _ index: Int) throws -> FloatImage {
        let plane = unscaled(plan.latents.with(latents))
        let tiled = plan.tilesDecode && max(plane.width, plane.height) > family.vae.latentTileSide
        let picture: Plane
        do {
            picture = try tiled ? decodeTiled(plane) : family.vae.decode(executor, scope, plane)
        } catch TensorError.memory where !tiled {
            // The latents are still here: once more with less memory.
            picture = try decodeTiled(plane)
        }
        emit(.progress(.decode, step: index + 1, steps: plan.count))
        return try image(picture)
    }

    private func decodeTiled(_ latents: Plane) throws -> Plane {
        try family.vae.decodeTiled(executor, scope, latents) { emit(.progress(.decode, step: $0, steps: $1)) }
    }

    /// A small picture of latents that are on the way: they are averaged down before decoding.
    private func preview(_ latents: Plane) throws -> FloatImage {
        try image(family.vae.decode(executor, scope, unscaled(latents.averaged(longest: 16))))
    }

    private func unscaled(_ latents: Plane) -> Plane {
        let config = family.vae.config
        return latents.map { $0 / config.scaling_factor + (config.shift_factor ?? 0) }
    }

    /// −1…1 to 0…1, channels together.
    private func image(_ picture: Plane) throws -> FloatImage {
        let pixels = picture.width * picture.height
        var values = [Float](repeating: 0, count: pixels * 3)
        for pixel in 0..<pixels {
            for channel in 0..<3 {
                let value = picture.values[min(channel, picture.channels - 1) * pixels + pixel]
                guard value.isFinite else { throw ImageModelError.notFinite(stage: "decoding", cause: "the autoencoder's picture") }
                values[pixel * 3 + channel] = min(max(value / 2 + 0.5, 0), 1)
            }
        }
        guard let image = FloatImage(width: picture.width, height: picture.height, values: values) else {
            throw DiffusionError.unsupported("a picture of \(picture.shape)")
        }
        return image
    }
}

/// Spreads previews over the steps; the last step needs none.
struct PreviewTimer {
    let previews: Int
    let steps: Int

    /// The number of the preview that is due after `done` steps.
    func preview(after done: Int) -> Int? {
        let wanted = min(previews, steps - 1)
        return (0..<max(0, wanted)).first { steps * ($0 + 1) / (wanted + 1) == done }
    }
}

extension Plane {
    func with(_ values: [Float]) -> Plane { Plane(width: width, height: height, channels: channels, values: values) }

    /// Averages of equal squares, so many that neither side is longer than `longest`.
    func averaged(longest: Int) -> Plane {
        let factor = (max(width, height) + longest - 1) / longest
        guard factor > 1 else { return self }
        return Plane(width: max(1, width / factor), height: max(1, height / factor), channels: channels) { x, y, channel in
            var sum: Float = 0
            for row in 0..<min(factor, height) { for column in 0..<min(factor, width) { sum += self[x * factor + column, y * factor + row, channel] } }
            return sum / Float(min(factor, height) * min(factor, width))
        }
    }
}
