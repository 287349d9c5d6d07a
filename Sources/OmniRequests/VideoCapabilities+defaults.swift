import OmniAPI
import OmniEngine

extension VideoCapabilities {
    /// All but the prices.
    package init(_ defaults: VideoDefaults) {
        self.init()
        defaultSize = ImageSize(width: defaults.width, height: defaults.height).description
        multiple = defaults.multiple
        (defaultFrames, frameMultiple, fps) = (defaults.frames, defaults.frameMultiple, defaults.fps)
        steps = ParameterRange(defaults.limits.steps, default: defaults.steps)
        guidanceScale = ParameterRange(defaults.limits.toldGuidanceScale, default: defaults.guidanceScale.asWritten)
        (startsFromPicture, needsPicture) = (defaults.startsFromPicture, defaults.needsPicture)
        maxSide = min(VideoShape.longestSide, defaults.longestSide ?? .max)
        maxFrames = min(VideoShape.mostFrames, defaults.mostFrames ?? .max)
        formats = ["mp4"]
    }
}

extension VideoDefaults {
    /// As a worker tells them; nil where that cannot be read.
    package init?(_ told: VideoCapabilities) {
        guard let size = ImageSize(told.defaultSize), told.multiple > 0, told.frameMultiple > 0 else { return nil }
        self.init(
            width: size.width, height: size.height, frames: told.defaultFrames, fps: told.fps,
            steps: told.steps.standard.map { Int($0) } ?? 1,
            guidanceScale: Float(told.guidanceScale.standard ?? 1), multiple: told.multiple, frameMultiple: told.frameMultiple,
            startsFromPicture: told.startsFromPicture, needsPicture: told.needsPicture, longestSide: told.maxSide,
            mostFrames: told.maxFrames)
    }
}

extension Float {
    /// 0.6 for 0.6, not 0.6000000238.
    package var asWritten: Double { Double(description) ?? Double(self) }
}
