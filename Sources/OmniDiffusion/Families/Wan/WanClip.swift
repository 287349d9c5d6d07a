import OmniEngine
import OmniTensor

/// A request as Wan takes it: checked against the model, and cut into graphs.
struct WanClip: Sendable {
    let settings: VideoSettings
    let shape: LatentShape
    let experts: WanExperts
    /// Tokens of the prompt, and of the negative prompt where guidance wants it; none where latents are only decoded.
    let prompts: [[Int]]
    /// Blocks of the transformer in one graph.
    var blocksPerGraph = Int.max

    /// The picture that the video begins with, if anything is denoised.
    var picture: FloatImage? { settings.request.latents == nil ? settings.request.picture : nil }
    var longestPrompt: Int { prompts.map(\.count).max() ?? 0 }

    init(_ request: VideoRequest, _ family: WanFamily, isEstimate: Bool = false) throws {
        settings = try VideoSettings(request, family.defaults)
        experts = try WanExperts(settings, boundaryRatio: family.boundaryRatio)
        let vae = family.vae
        shape = LatentShape(
            channels: vae.latentChannels, frames: vae.latents(frames: settings.frames), height: settings.height / vae.scale,
            width: settings.width / vae.scale)
        try family.check(shape)
        try settings.checkStart(family.defaults, shape, isEstimate: isEstimate)
        guard request.latents == nil else {
            prompts = []
            return
        }
        prompts = try ([request.prompt] + (experts.first.needsNegative ? [request.negativePrompt ?? ""] : [])).map {
            try family.tokenize($0)
        }
    }
}

/// Which expert does which step, and its guidance.
struct WanExperts: Sendable {
    /// Of the model, or of its first expert; and of the second one.
    let first, second: Guidance
    /// The time below which the second expert is asked, 0…1000; nil where there is none.
    private let boundary: Float?

    init(_ settings: VideoSettings, boundaryRatio: Float?) throws {
        let request = settings.request
        let scale = settings.guidanceScale
        let late = request.guidanceScale2 ?? scale
        try VideoSettings.require(late.isFinite && (0...1000).contains(late), "guidance_scale_2", "must be between 0 and 1000")
        try VideoSettings.require(
            boundaryRatio != nil || request.guidanceScale2 == nil, "guidance_scale_2", "needs a model with two experts")
        try VideoSettings.require(boundaryRatio != nil || request.boundaryRatio == nil, "boundary_ratio", "needs a model with two experts")
        let ratio = request.boundaryRatio ?? boundaryRatio
        try VideoSettings.require(ratio.map { (0...1).contains($0) } ?? true, "boundary_ratio", "must be between 0 and 1")
        // The weight of a difference that is added to the prompt's own: one less.
        first = Guidance(scale: scale - 1)
        second = Guidance(scale: scale > 1 ? late - 1 : 0)
        boundary = ratio.map { $0 * 1000 }
    }

    /// Whether the second expert does the step at `time`.
    func isLate(_ time: Float) -> Bool { boundary.map { time < $0 } ?? false }

    func guidance(at time: Float) -> Guidance { isLate(time) ? second : first }
}
