import OmniEngine
import OmniTensor

/// A picture to start from as the denoiser takes it: latents as it wants them, and what an encoder of pictures sees in it, where the
/// model has one.
struct WanStart: Sendable {
    let latents: VideoLatents
    let seen: WanInput.Picture?

    var isFinite: Bool { latents.values.allSatisfy(\.isFinite) && (seen?.values.allSatisfy(\.isFinite) ?? true) }
}

extension WanFamily {
    func startMemory(_ clip: WanClip, _ executor: Executor) throws -> GraphPrice {
        let seen = try eye.map { eye in try executor.price { [try eye.states($0, pixels: [])] } } ?? GraphPrice()
        return seen.then(try vae.encodePrice(executor, width: clip.settings.width, height: clip.settings.height))
    }

    func start(_ clip: WanClip, _ picture: FloatImage, _ run: PipelineRun) throws -> WanStart {
        let (width, height) = (clip.settings.width, clip.settings.height)
        // Grey, the middle of the range, stands for nothing.
        let grey = [Float](repeating: 0.5, count: picture.values.count)
        let frames = startKind == .channels ? clip.settings.frames : 1
        let moments = try vae.encode(run.executor, run.scope, frames: frames, width: width, height: height) { index in
            guard index > 0, let empty = FloatImage(width: width, height: height, values: grey) else { return picture }
            return empty
        }
        let seen = try eye.map { eye in
            let values = try run.evaluate { try eye.states($0, pixels: eye.processor.pixels(picture)) }
            return WanInput.Picture(shape: [eye.config.hidden_size, eye.config.places], values: values)
        }
        return WanStart(latents: try vae.normalized(vae.mode(moments)), seen: seen)
    }

    /// `[frames for each latent, frames, height, width]`: 1 in the first frame.
    func mask(_ shape: LatentShape) -> [Float] {
        let area = shape.height * shape.width
        let channel = [Float](repeating: 1, count: area) + [Float](repeating: 0, count: (shape.frames - 1) * area)
        return (0..<defaults.frameMultiple).flatMap { _ in channel }
    }

    /// Latents with the given picture in the place of their first frame, for models that take it there.
    func startingFrame(_ latents: [Float], _ shape: LatentShape, _ start: WanStart?) -> [Float] {
        guard startKind == .frame, let start else { return latents }
        let (area, length) = (shape.height * shape.width, shape.frames * shape.height * shape.width)
        var latents = latents
        for channel in 0..<shape.channels {
            latents.replaceSubrange(
                channel * length..<channel * length + area, with: start.latents.values[channel * area..<(channel + 1) * area])
        }
        return latents
    }
}
