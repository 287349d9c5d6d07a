import OmniEngine
import OmniTensor

/// What a request for a video says, with the defaults filled in, and checked as far as all families agree.
struct VideoSettings: Sendable {
    let request: VideoRequest
    let width, height, frames, steps: Int
    /// Above 1 the negative prompt counts.
    let guidanceScale: Float

    /// Longest side that is read, pixels; models set limits of their own.
    static let longestSide = 1 << 16

    /// - Throws: ``VideoModelError`` for what no model can do.
    init(_ request: VideoRequest, _ defaults: VideoDefaults) throws {
        let (width, height) = (
            request.width ?? request.picture?.width ?? defaults.width, request.height ?? request.picture?.height ?? defaults.height
        )
        let multiple = defaults.multiple
        let fits = width > 0 && height > 0 && width % multiple == 0 && height % multiple == 0 && max(width, height) <= Self.longestSide
        try Self.require(fits, "size", "\(width)x\(height) must be positive multiples of \(multiple)")
        let frames = request.frames ?? defaults.frames
        try Self.require(
            (1...1 << 16).contains(frames) && (frames - 1) % defaults.frameMultiple == 0, "num_frames",
            "must be 1 more than a multiple of \(defaults.frameMultiple), such as \(Self.nearest(frames, defaults.frameMultiple)), and not \(frames)"
        )
        let steps = request.steps ?? defaults.steps
        try Self.require((1...1000).contains(steps), "num_inference_steps", "must be between 1 and 1000")
        let scale = request.guidanceScale ?? defaults.guidanceScale
        try Self.require(scale.isFinite && (0...1000).contains(scale), "guidance_scale", "must be between 0 and 1000")
        try Self.require(
            request.flowShift.map { $0.isFinite && $0 > 0 && $0 <= 1000 } ?? true, "flow_shift", "must be above 0 and at most 1000")
        try Self.require(request.adapters.allSatisfy(\.scale.isFinite), "lora", "has a scale that is no number")
        (self.request, self.width, self.height, self.frames, self.steps, guidanceScale) = (request, width, height, frames, steps, scale)
    }

    /// Latents of `shape` that the request brought, or the picture that it begins with, checked.
    ///
    /// - Parameter isEstimate: the picture may have another size than the video: what it takes depends on the video's.
    func checkStart(_ defaults: VideoDefaults, _ shape: LatentShape, isEstimate: Bool = false) throws {
        guard let latents = request.latents else {
            if !isEstimate || request.picture == nil { try checkPicture(defaults) }
            return
        }
        try Self.require(latents.shape == shape.dimensions, "latents", "are \(latents.shape), not \(shape.dimensions)")
        try Self.require(latents.values.allSatisfy(\.isFinite), "latents", "hold values that are not numbers")
    }

    private func checkPicture(_ defaults: VideoDefaults) throws {
        func require(_ condition: Bool, _ reason: @autoclosure () -> String) throws {
            try Self.require(condition, "input_reference", reason())
        }
        guard let picture = request.picture else {
            return try require(!defaults.needsPicture, "is required: this model continues a picture")
        }
        try require(defaults.startsFromPicture, "cannot be used: this model takes text alone")
        try require(
            picture.width == width && picture.height == height && picture.channels == 3,
            "is \(picture.width)x\(picture.height) with \(picture.channels) channels, not \(width)x\(height) with 3")
        try require(picture.values.allSatisfy(\.isFinite), "holds values that are not numbers")
    }

    static func require(_ condition: Bool, _ parameter: String, _ reason: @autoclosure () -> String) throws {
        if !condition { throw ImageModelError.invalid(parameter: parameter, reason: reason()) }
    }

    private static func nearest(_ frames: Int, _ multiple: Int) -> Int { 1 + max(0, min(frames, 1 << 16) - 1) / multiple * multiple }
}
