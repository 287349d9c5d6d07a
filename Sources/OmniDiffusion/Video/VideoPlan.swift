import OmniEngine
import OmniTensor

/// A request with every choice made and checked against the model.
struct VideoPlan: Sendable {
    let seed: UInt64
    let tokens: [Int]
    let negativeTokens: [Int]
    /// Of the model, or of its first expert; and of the second one.
    let guidance, lateGuidance: Guidance
    /// The time below which the second expert is asked, 0…1000; nil where there is none.
    let boundary: Float?
    let schedule: any NoiseSchedule
    let width, height, frames: Int
    /// Of the latents: `[channels, frames, height, width]`.
    let shape: [Int]
    let picture: FloatImage?
    /// Finished ones, of a request that only wants them decoded.
    let latents: VideoLatents?
    let adapters: [ImageAdapter]
    /// Blocks of the transformer in one graph.
    var blocksPerGraph = Int.max
    /// Set where whole frames would take too much memory.
    var tiling: FilmTiling?

    /// Longest side that is read, pixels; models set limits of their own.
    static let longestSide = 1 << 16

    /// - Throws: ``VideoModelError`` for what the model cannot do.
    init(_ request: VideoRequest, _ family: any VideoFamily) throws {
        let defaults = family.defaults
        func invalid(_ parameter: String, _ reason: String) -> ImageModelError { .invalid(parameter: parameter, reason: reason) }
        func require(_ condition: Bool, _ parameter: String, _ reason: @autoclosure () -> String) throws {
            if !condition { throw invalid(parameter, reason()) }
        }
        let (width, height) = (request.width ?? request.picture?.width ?? defaults.width, request.height ?? request.picture?.height ?? defaults.height)
        let multiple = defaults.multiple
        let fits = width > 0 && height > 0 && width % multiple == 0 && height % multiple == 0 && max(width, height) <= Self.longestSide
        try require(fits, "size", "\(width)x\(height) must be positive multiples of \(multiple)")
        let frames = request.frames ?? defaults.frames
        try require(
            (1...1 << 16).contains(frames) && (frames - 1) % defaults.frameMultiple == 0, "num_frames",
            "must be 1 more than a multiple of \(defaults.frameMultiple), such as \(Self.nearest(frames, defaults.frameMultiple)), and not \(frames)")
        let steps = request.steps ?? defaults.steps
        try require((1...1000).contains(steps), "num_inference_steps", "must be between 1 and 1000")
        let scale = request.guidanceScale ?? defaults.guidanceScale
        let lateScale = request.guidanceScale2 ?? scale
        try require(scale.isFinite && (0...1000).contains(scale), "guidance_scale", "must be between 0 and 1000")
        try require(lateScale.isFinite && (0...1000).contains(lateScale), "guidance_scale_2", "must be between 0 and 1000")
        try require(family.boundaryRatio != nil || request.guidanceScale2 == nil, "guidance_scale_2", "needs a model with two experts")
        try require(family.boundaryRatio != nil || request.boundaryRatio == nil, "boundary_ratio", "needs a model with two experts")
        let ratio = request.boundaryRatio ?? family.boundaryRatio
        try require(ratio.map { (0...1).contains($0) } ?? true, "boundary_ratio", "must be between 0 and 1")
        try require(request.flowShift.map { $0.isFinite && $0 > 0 && $0 <= 1000 } ?? true, "flow_shift", "must be above 0 and at most 1000")
        try require(request.adapters.allSatisfy(\.scale.isFinite), "lora", "has a scale that is no number")
        let vae = family.vae
        shape = [vae.config.z_dim, vae.latents(frames: frames), height / vae.config.scale, width / vae.config.scale]
        try family.check(shape)
        if let latents = request.latents {
            try require(latents.shape == shape, "latents", "are \(latents.shape), not \(shape)")
            try require(latents.values.allSatisfy(\.isFinite), "latents", "hold values that are not numbers")
        } else {
            try Self.check(request.picture, width, height, defaults)
        }
        // The weight of a difference that is added to the prompt's own: one less.
        guidance = Guidance(scale: scale - 1)
        lateGuidance = Guidance(scale: scale > 1 ? lateScale - 1 : 0)
        boundary = ratio.map { $0 * 1000 }
        schedule = family.scheduler.schedule(steps: steps, shift: request.flowShift)
        tokens = request.latents == nil ? try family.tokenize(request.prompt) : []
        negativeTokens = request.latents == nil && guidance.needsNegative ? try family.tokenize(request.negativePrompt ?? "") : []
        (seed, self.width, self.height, self.frames) = (request.seed, width, height, frames)
        (picture, latents, adapters) = (request.latents == nil ? request.picture : nil, request.latents, request.adapters)
    }

    /// Whether the second expert does the step at `time`.
    func isLate(_ time: Float) -> Bool { boundary.map { time < $0 } ?? false }

    private static func check(_ picture: FloatImage?, _ width: Int, _ height: Int, _ defaults: VideoDefaults) throws {
        func invalid(_ reason: String) -> ImageModelError { .invalid(parameter: "input_reference", reason: reason) }
        guard let picture else {
            if defaults.needsPicture { throw invalid("is required: this model films what happens after a picture") }
            return
        }
        guard defaults.startsFromPicture else { throw invalid("cannot be used: this model films from text alone") }
        guard picture.width == width, picture.height == height, picture.channels == 3 else {
            throw invalid("is \(picture.width)x\(picture.height) with \(picture.channels) channels, not \(width)x\(height) with 3")
        }
        guard picture.values.allSatisfy(\.isFinite) else { throw invalid("holds values that are not numbers") }
    }

    private static func nearest(_ frames: Int, _ multiple: Int) -> Int { 1 + max(0, min(frames, 1 << 16) - 1) / multiple * multiple }
}
