import OmniEngine
import OmniTensor

/// A request with every choice made and checked against the model.
struct ImagePlan: Sendable {
    let seed: UInt64
    let count: Int
    let tokens: [Int]
    let negativeTokens: [Int]
    let guidance: Guidance
    let schedule: FlowMatchEuler.Schedule
    /// First step: later than 0 for an input picture that is to be kept in part.
    let start: Int
    let input: FloatImage?
    /// For each latent of one channel, 1 to draw and 0 to keep.
    let mask: [Float]?
    let previews: Int
    let adapters: [ImageAdapter]
    let cacheThreshold: Float
    /// Zeros, of the size of one picture's latents.
    let latents: Plane
    /// Predictions of the denoiser that are computed together: for several pictures, for the prompt and the negative prompt.
    var batch = 1
    var tilesDecode = false
    var tilesEncode = false

    /// Longest side that is read, pixels; models set limits of their own.
    static let longestSide = 1 << 16

    /// - Throws: ``ImageModelError/invalid(parameter:reason:)`` for what the model cannot do.
    init(_ request: ImageRequest, _ family: any DiffusionFamily) throws {
        let defaults = family.defaults
        func invalid(_ parameter: String, _ reason: String) -> ImageModelError { .invalid(parameter: parameter, reason: reason) }
        let width = request.width ?? request.input?.width ?? defaults.width
        let height = request.height ?? request.input?.height ?? defaults.height
        let multiple = defaults.multiple
        guard width > 0, height > 0, width % multiple == 0, height % multiple == 0, max(width, height) <= Self.longestSide else {
            throw invalid("size", "\(width)x\(height) must be positive multiples of \(multiple)")
        }
        let steps = request.steps ?? defaults.steps
        guard (1...1000).contains(steps) else { throw invalid("num_inference_steps", "must be between 1 and 1000") }
        guard (1...64).contains(request.count) else { throw invalid("n", "must be between 1 and 64") }
        let scale = request.guidanceScale ?? defaults.guidanceScale
        guard scale.isFinite, (0...1000).contains(scale) else { throw invalid("guidance_scale", "must be between 0 and 1000") }
        guard request.guidanceNormalization.isFinite, request.guidanceNormalization >= 0 else { throw invalid("cfg_normalization", "must not be negative") }
        let side = family.vae.config.scale
        let empty = Plane(width: width / side, height: height / side, channels: family.vae.config.latent_channels, values: [])
        tokens = try family.tokenize(request.prompt)
        guidance = Guidance(scale: scale, normalization: request.guidanceNormalization, truncation: request.guidanceTruncation)
        negativeTokens = guidance.needsNegative ? try family.tokenize(request.negativePrompt ?? "") : []
        try family.check(empty, tokens: max(tokens.count, negativeTokens.count))
        latents = Plane(width: empty.width, height: empty.height, channels: empty.channels) { _, _, _ in 0 }
        schedule = family.scheduler.schedule(steps: steps, tokens: family.pictureTokens(latents))
        (input, mask, start) = try Self.edit(request, width, height, family, schedule)
        seed = request.seed
        count = request.count
        previews = max(0, request.previews)
        guard request.adapters.allSatisfy({ $0.scale.isFinite }) else { throw invalid("lora", "has a scale that is no number") }
        adapters = request.adapters
        guard request.cacheThreshold.isFinite, request.cacheThreshold >= 0 else { throw invalid("cache_threshold", "must not be negative") }
        cacheThreshold = request.cacheThreshold
    }

    private static func edit(_ request: ImageRequest, _ width: Int, _ height: Int, _ family: any DiffusionFamily, _ schedule: FlowMatchEuler.Schedule) throws
        -> (FloatImage?, [Float]?, Int) {
        guard let input = request.input else {
            guard request.mask == nil else { throw ImageModelError.invalid(parameter: "mask", reason: "needs an input picture") }
            return (nil, nil, 0)
        }
        guard input.width == width, input.height == height, input.channels == 3 else {
            throw ImageModelError.invalid(parameter: "image", reason: "is \(input.width)x\(input.height) with \(input.channels) channels, not \(width)x\(height) with 3")
        }
        guard input.values.allSatisfy(\.isFinite) else { throw ImageModelError.invalid(parameter: "image", reason: "holds values that are not numbers") }
        let strength = request.strength ?? (request.mask == nil ? family.defaults.strength : 1)
        guard strength.isFinite, (0...1).contains(strength) else { throw ImageModelError.invalid(parameter: "strength", reason: "must be between 0 and 1") }
        let start = schedule.start(strength: strength)
        guard start < schedule.steps else {
            throw ImageModelError.invalid(parameter: "strength", reason: "\(strength) leaves none of \(schedule.steps) steps to do")
        }
        guard let mask = request.mask else { return (input, nil, start) }
        guard mask.width == width, mask.height == height, mask.channels == 1 else {
            throw ImageModelError.invalid(parameter: "mask", reason: "is \(mask.width)x\(mask.height) with \(mask.channels) channels, not \(width)x\(height) with 1")
        }
        // The nearest pixel of each latent, made black or white.
        let side = family.vae.config.scale
        let small = (0..<height / side).flatMap { y in (0..<width / side).map { x in mask.values[y * side * width + x * side] < 0.5 ? Float(0) : 1 } }
        return (input, small, start)
    }
}
