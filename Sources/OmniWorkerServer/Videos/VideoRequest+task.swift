import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests

extension VideoRequest {
    /// What the engine is asked.
    ///
    /// - Parameter picture: of any size.
    init(_ request: VideoGenerationRequest, seed: Int, _ plan: VideoShape, picture: Picture?, adapters: [ImageAdapter]) {
        self.init(prompt: request.prompt, seed: UInt64(bitPattern: Int64(seed)))
        negativePrompt = request.negativePrompt
        (width, height, frames, fps) = (plan.drawnSize.width, plan.drawnSize.height, plan.drawnFrames, plan.fps)
        steps = request.steps
        guidanceScale = request.guidance.map { Float($0) }
        guidanceScale2 = request.guidanceScale2.map { Float($0) }
        boundaryRatio = request.boundaryRatio.map { Float($0) }
        flowShift = request.flowShift.map { Float($0) }
        self.adapters = adapters
        self.picture = picture.flatMap { picture in
            let fitting = picture.flattened().resized(width: plan.size.width, height: plan.size.height)
            return ImageJob.padded(fitting.pixels, channels: fitting.channels, from: plan.size, to: plan.drawnSize)
        }
    }
}
