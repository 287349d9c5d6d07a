import OmniEngine
import OmniTensor

/// How a family draws after a text: what it makes of prompts and latents. The rest of its plan is the same for all: a picture to
/// begin with, noise, batches, tiles, previews, and what they take.
struct ImageRecipe: Sendable {
    let settings: ImageSettings
    let autoencoder: any Autoencoder
    let schedule: any NoiseSchedule
    let guidance: Guidance
    /// Tokens of the prompt, and of the negative prompt where guidance wants it.
    let prompts: [[Int]]
    /// Tokens that one picture is for the denoiser.
    let pictureTokens: Int
    /// Share of an input picture that is left, for requests that do not say.
    let strength: Float
    /// How a sample's latents lie in the loop.
    var layout = LatentLayout.planes
    /// What is taken of input pictures and references.
    var encoding = LatentEncoding.sampled
    /// How a mask becomes as large as latents.
    var masking = MaskScaling.nearest
    /// What the denoiser needs of a prompt's tokens, once for all steps.
    let encode: @Sendable (Graph, [Int]) throws -> Tensor
    /// The velocities `noise − picture` in the layout that `unpack` takes, one after the other.
    ///
    /// - Parameter progress: share of the way that is done, 0 at noise.
    let predict: @Sendable (_ graph: Graph, _ requests: [PredictionRequest], _ progress: Float) throws -> Tensor
    /// One velocity as the loop has latents.
    var unpack: @Sendable ([Float]) -> [Float] = { $0 }

    func plan(_ context: PlanningContext) throws -> DenoisingPlan {
        let request = settings.request
        let edit = try ImageEdit(settings, schedule, strength: strength, scaling: masking)
        let memory = try self.memory(context, edits: edit != nil)
        let guidance = guidance
        var plan = DenoisingPlan(
            shape: settings.shape, longestSide: max(settings.width, settings.height), count: request.count, schedule: schedule,
            guidance: { _ in guidance },
            prepare: { try denoiser(edit, tilesEncode: memory.tilesEncode, $0) })
        plan.start = edit?.start ?? 0
        (plan.cacheThreshold, plan.previews, plan.adapters) = (request.cacheThreshold, max(0, request.previews), request.adapters)
        (plan.batch, plan.tilesDecode, plan.memory) = (memory.batch, memory.tilesDecode, memory.bytes)
        plan.preview = { run, latents in try autoencoder.preview(layout.plane(latents, settings.shape), run) }
        return plan
    }

    /// Latents of the picture to begin with, and of all that the denoiser sees.
    private func encoded(_ edit: ImageEdit?, tiled: Bool, _ generator: inout TorchGenerator, _ run: PipelineRun) throws -> (
        picture: [Float]?, references: [Float]
    ) {
        let pictures = settings.references.isEmpty ? (edit.map { [$0.input] } ?? []) : settings.references
        var latents: [[Float]] = []
        for picture in pictures {
            latents.append(layout.latents(try autoencoder.latents(of: picture, encoding, tiled: tiled, &generator, run)))
            try run.progress(.encodeImage, latents.count, of: pictures.count)
        }
        return (edit == nil ? nil : latents.first, settings.references.isEmpty ? [] : latents.flatMap(\.self))
    }

    /// Encodes prompts and the picture to begin with, and draws the noise.
    private func denoiser(_ edit: ImageEdit?, tilesEncode: Bool, _ run: PipelineRun) throws -> Denoiser {
        let conditions = try run.encodePrompts(prompts, encode)
        let shape = settings.shape
        var generator = TorchGenerator(seed: settings.request.seed)
        let (picture, references) = try encoded(edit, tiled: tilesEncode, &generator, run)
        // Drawn as one tensor for all pictures.
        let all = generator.normal(shape.count * settings.request.count)
        let noise = (0..<settings.request.count).map { index in
            layout.latents(
                Plane(
                    width: shape.width, height: shape.height, channels: shape.channels,
                    values: Array(all[index * shape.count..<(index + 1) * shape.count])))
        }
        let first = noise.map { noise in picture.map { schedule.noised($0, noise, before: edit?.start ?? 0) } ?? noise }
        var denoiser = Denoiser(latents: first) { asks, index in
            let requests = asks.map {
                PredictionRequest(latents: $0.latents, references: references, condition: conditions[$0.negative ? 1 : 0])
            }
            let velocities = try run.evaluate { try predict($0, requests, schedule.progress(index)) }
            let size = velocities.count / asks.count
            return asks.indices.map { unpack(Array(velocities[$0 * size..<($0 + 1) * size])) }
        }
        guard let picture, let mask = edit?.mask else { return denoiser }
        let spread = layout.latents(
            Plane(width: shape.width, height: shape.height, channels: shape.channels, values: (0..<shape.channels).flatMap { _ in mask }))
        denoiser.blend = { latents, sample, step in
            // Outside the mask stands the input, at the noise level of the next step.
            let kept = step + 1 == schedule.steps ? picture : schedule.noised(picture, noise[sample], before: step + 1)
            return latents.indices.map { (1 - spread[$0]) * kept[$0] + spread[$0] * latents[$0] }
        }
        return denoiser
    }
}

/// What a denoiser is asked for one picture.
struct PredictionRequest: Sendable {
    /// In the loop's layout; empty where they are only measured.
    let latents: [Float]
    /// Of the pictures that the denoiser sees, in the same layout, one after the other; empty where they are only measured.
    var references: [Float] = []
    let condition: Condition
}

/// How one picture's latents lie in the loop.
enum LatentLayout: Sendable, Equatable {
    /// `[channels, height, width]`, as autoencoders have them.
    case planes
    /// Squares of that many latents a side as tokens, row by row; within a token columns fastest, then rows, then channels.
    case patches(Int)

    func latents(_ plane: Plane) -> [Float] {
        guard case .patches(let side) = self else { return plane.values }
        var values: [Float] = []
        values.reserveCapacity(plane.values.count)
        for top in stride(from: 0, to: plane.height, by: side) {
            for left in stride(from: 0, to: plane.width, by: side) {
                for channel in 0..<plane.channels {
                    for y in 0..<side { for x in 0..<side { values.append(plane[left + x, top + y, channel]) } }
                }
            }
        }
        return values
    }

    /// The reverse.
    func plane(_ latents: [Float], _ shape: LatentShape) -> Plane {
        guard case .patches(let side) = self else {
            return Plane(width: shape.width, height: shape.height, channels: shape.channels, values: latents)
        }
        let (columns, size) = (shape.width / side, side * side * shape.channels)
        return Plane(width: shape.width, height: shape.height, channels: shape.channels) { x, y, channel in
            latents[(y / side * columns + x / side) * size + (channel * side + y % side) * side + x % side]
        }
    }
}
