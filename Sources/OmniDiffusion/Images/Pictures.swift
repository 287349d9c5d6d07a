import OmniEngine
import OmniTensor

/// What pipelines of pictures do with their autoencoder.
extension Autoencoder {
    /// Latents of an input picture as the denoiser wants them: drawn from the distribution that the autoencoder gives, or its mean.
    func latents(of input: FloatImage, _ encoding: LatentEncoding, tiled: Bool, _ generator: inout TorchGenerator, _ run: PipelineRun)
        throws -> Plane
    {
        let picture = Plane(width: input.width, height: input.height, channels: 3) { x, y, channel in
            2 * input.values[(y * input.width + x) * 3 + channel] - 1
        }
        let cuts = tiled && max(picture.width, picture.height) > tileSide
        let moments = try cuts ? encodeTiled(run.executor, run.scope, picture) : encode(run.executor, run.scope, picture)
        var latents = encoding == .sampled ? moments.sampled(&generator) : moments.mean
        latents.values = normalization.normalized(latents.values)
        return latents
    }

    /// Decodes a picture's finished latents, and emits it.
    func decode(_ plan: DenoisingPlan, _ latents: Plane, sample: Int, _ run: PipelineRun) throws {
        let latents = denormalized(latents)
        func tiles() throws -> Plane { try decodeTiled(run.executor, run.scope, latents) { try run.progress(.decode, $0, of: $1) } }
        let cuts = plan.tilesDecode && max(latents.width, latents.height) > latentTileSide
        let picture: Plane
        do {
            picture = try cuts ? tiles() : decode(run.executor, run.scope, latents)
        } catch TensorError.memory where !cuts {
            // The latents are still here: once more with less memory.
            picture = try tiles()
        }
        try run.progress(.decode, sample + 1, of: plan.count)
        try run.emit(.frame(sample: sample, index: 0, count: 1, FloatImage(picture)))
    }

    /// A small picture of latents that are on the way: they are averaged down before decoding.
    func preview(_ latents: Plane, _ run: PipelineRun) throws -> FloatImage {
        try FloatImage(decode(run.executor, run.scope, denormalized(latents.averaged(longest: 16))))
    }

    private func denormalized(_ latents: Plane) -> Plane {
        Plane(width: latents.width, height: latents.height, channels: latents.channels, values: normalization.denormalized(latents.values))
    }
}

extension FloatImage {
    /// A decoded picture `[width, height, channels]` in −1…1; what is beyond is cut off.
    init(_ picture: Plane) throws {
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
        self = image
    }
}

extension Plane {
    /// Averages of equal squares, so many that neither side is longer than `longest`.
    func averaged(longest: Int) -> Plane {
        let factor = (max(width, height) + longest - 1) / longest
        guard factor > 1 else { return self }
        return Plane(width: max(1, width / factor), height: max(1, height / factor), channels: channels) { x, y, channel in
            var sum: Float = 0
            for row in 0..<min(factor, height) {
                for column in 0..<min(factor, width) { sum += self[x * factor + column, y * factor + row, channel] }
            }
            return sum / Float(min(factor, height) * min(factor, width))
        }
    }
}
