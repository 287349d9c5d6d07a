import OmniEngine
import OmniTensor

/// What a request for pictures says, with the defaults filled in, and checked as far as all families agree.
struct ImageSettings: Sendable {
    let request: ImageRequest
    let width, height, steps: Int
    /// The weight of the prompt: by the name `guidance_scale` first, or by the name `true_cfg_scale` first.
    let guidanceScale, trueGuidanceScale: Float
    /// Of one picture.
    let shape: LatentShape
    /// Pictures that the denoiser sees: the one to start from, where there is one, then the references.
    let references: [FloatImage]

    /// Longest side that is read, pixels; models set limits of their own.
    static let longestSide = 1 << 16

    /// - Throws: ``ImageModelError/invalid(parameter:reason:)`` for what no model can do.
    init(_ request: ImageRequest, _ defaults: ImageDefaults, _ autoencoder: any Autoencoder) throws {
        func require(_ condition: Bool, _ parameter: String, _ reason: @autoclosure () -> String) throws {
            if !condition { throw ImageModelError.invalid(parameter: parameter, reason: reason()) }
        }
        let (width, height) = (
            request.width ?? request.input?.width ?? request.references.first?.width ?? defaults.width,
            request.height ?? request.input?.height ?? request.references.first?.height ?? defaults.height
        )
        let multiple = defaults.multiple
        let fits = width > 0 && height > 0 && width % multiple == 0 && height % multiple == 0 && max(width, height) <= Self.longestSide
        try require(fits, "size", "\(width)x\(height) must be positive multiples of \(multiple)")
        let steps = request.steps ?? defaults.steps
        try require((1...1000).contains(steps), "num_inference_steps", "must be between 1 and 1000")
        try require((1...64).contains(request.count), "n", "must be between 1 and 64")
        let (plain, real) = (request.guidanceScale, request.trueGuidanceScale)
        for (scale, name) in [(plain, "guidance_scale"), (real, "true_cfg_scale")] {
            try require(scale.map { $0.isFinite && (0...1000).contains($0) } ?? true, name, "must be between 0 and 1000")
        }
        let norm = request.guidanceNormalization
        try require(norm.isFinite && norm >= 0, "cfg_normalization", "must not be negative")
        try require(request.adapters.allSatisfy(\.scale.isFinite), "lora", "has a scale that is no number")
        try require(request.cacheThreshold.isFinite && request.cacheThreshold >= 0, "cache_threshold", "must not be negative")
        references = defaults.references == nil ? [] : (request.input.map { [$0] } ?? []) + request.references
        let most = defaults.references?.count ?? 0
        let count = request.references.count + (request.input == nil ? 0 : 1)
        try require(
            request.references.isEmpty || count <= most, "image", "was given \(count) times; the model looks at \(most) pictures at most")
        for picture in request.references {
            let (width, height) = (picture.width, picture.height)
            let fits = width % multiple == 0 && height % multiple == 0 && picture.channels == 3
            try require(fits, "image", "is \(width)x\(height) with \(picture.channels) channels, not multiples of \(multiple) with 3")
            try require(picture.values.allSatisfy(\.isFinite), "image", "holds values that are not numbers")
        }
        (self.request, self.width, self.height, self.steps) = (request, width, height, steps)
        (guidanceScale, trueGuidanceScale) = (plain ?? real ?? defaults.guidanceScale, real ?? plain ?? defaults.guidanceScale)
        shape = LatentShape(channels: autoencoder.latentChannels, height: height / autoencoder.scale, width: width / autoencoder.scale)
    }
}

/// A picture to begin with, and how much of it is kept.
struct ImageEdit: Sendable {
    let input: FloatImage
    /// For each latent of one channel, 1 to draw and 0 to keep; nil where everything is drawn anew.
    let mask: [Float]?
    /// First step.
    let start: Int

    /// Nil for a request without a picture.
    ///
    /// - Parameters:
    ///   - strength: of a request that names none and has no mask.
    ///   - scaling: how the mask becomes as large as latents.
    init?(_ settings: ImageSettings, _ schedule: any NoiseSchedule, strength standard: Float, scaling: MaskScaling) throws {
        func invalid(_ parameter: String, _ reason: String) -> ImageModelError { .invalid(parameter: parameter, reason: reason) }
        let (request, width, height) = (settings.request, settings.width, settings.height)
        guard let input = request.input else {
            guard request.mask == nil else { throw invalid("mask", "needs an input picture") }
            return nil
        }
        guard input.width == width, input.height == height, input.channels == 3 else {
            throw invalid("image", "is \(input.width)x\(input.height) with \(input.channels) channels, not \(width)x\(height) with 3")
        }
        guard input.values.allSatisfy(\.isFinite) else { throw invalid("image", "holds values that are not numbers") }
        let strength = request.strength ?? (request.mask == nil ? standard : 1)
        guard strength.isFinite, (0...1).contains(strength) else { throw invalid("strength", "must be between 0 and 1") }
        start = schedule.start(strength: strength)
        guard start < schedule.steps else { throw invalid("strength", "\(strength) leaves none of \(schedule.steps) steps to do") }
        self.input = input
        guard let mask = request.mask else {
            self.mask = nil
            return
        }
        guard mask.width == width, mask.height == height, mask.channels == 1 else {
            throw invalid("mask", "is \(mask.width)x\(mask.height) with \(mask.channels) channels, not \(width)x\(height) with 1")
        }
        self.mask = scaling.scaled(mask, columns: settings.shape.width, rows: settings.shape.height)
    }
}

/// How a mask, made black and white, becomes as large as latents.
enum MaskScaling: Sendable, Equatable {
    /// The pixel in the upper left corner of each latent.
    case nearest
    /// Between the pixels in the middle of each latent, so that its edge can be grey.
    case bilinear

    /// `[columns, rows]` of a mask with one channel, whose sides are the same multiple of both.
    func scaled(_ mask: FloatImage, columns: Int, rows: Int) -> [Float] {
        let side = mask.width / columns
        func pixel(_ x: Int, _ y: Int) -> Float { mask.values[y * mask.width + x] < 0.5 ? 0 : 1 }
        // The middle of a latent: one pixel where the side is odd, else between two.
        let (low, high) = self == .nearest ? (0, 0) : ((side - 1) / 2, side / 2)
        return (0..<rows).flatMap { row in
            (0..<columns).map { column in
                let (x, y) = (column * side, row * side)
                let above = pixel(x + low, y + low) + pixel(x + high, y + low)
                return (above + pixel(x + low, y + high) + pixel(x + high, y + high)) / 4
            }
        }
    }
}
