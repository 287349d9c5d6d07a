import OmniAPI
import OmniEngine

/// What is generated for a request, with every choice made: the size asked for is the size given, whatever grid the model draws on.
package struct VideoShape: Sendable, Equatable {
    /// The clip's.
    package var size: ImageSize
    package var frames: Int
    package var fps: Double
    /// What the model makes of it: the next larger size on its grid, and the next number of frames that its autoencoder packs.
    package var drawnSize: ImageSize
    package var drawnFrames: Int

    package static let takesNoPicture = "The model does not start from a picture. Leave input_reference out, or name a model that does."
    package static let needsPicture = "The model needs a picture to start from. Send one as input_reference."

    /// Longest side of a clip's frame, pixels: codecs take no more.
    package static let longestSide = 16384
    /// Frames of a clip; far more than memory holds of any model's.
    package static let mostFrames = 1 << 16

    /// - Parameter picture: the size of the picture that the clip starts from, whose proportions it takes unless asked otherwise.
    /// - Throws: ``APIError`` 400 for what no clip can be.
    package init(_ request: VideoGenerationRequest, _ defaults: VideoDefaults, picture: ImageSize?) throws {
        let own = ImageSize(width: defaults.width, height: defaults.height)
        let standard = picture.map { own.area(inProportionsOf: $0, multiple: defaults.multiple) } ?? own
        size = ImageSize(
            width: request.size?.width ?? request.width ?? standard.width, height: request.size?.height ?? request.height ?? standard.height
        )
        let longest = min(Self.longestSide, defaults.longestSide ?? .max)
        guard (2...longest).contains(size.width), (2...longest).contains(size.height) else {
            let field =
                request.size != nil
                ? "size" : request.width.map { !(2...longest).contains($0) } ?? false ? "width" : request.height != nil ? "height" : "size"
            throw APIError.invalid("body.\(field)", "\(field): a clip of \(size) cannot be made; sides are from 2 to \(longest) pixels.")
        }
        let fps = request.fps ?? defaults.fps
        let most = min(Self.mostFrames, defaults.mostFrames ?? .max)
        let wanted = request.frames.map(Double.init) ?? request.seconds.map { (Double($0) * fps).rounded() } ?? Double(defaults.frames)
        guard wanted <= Double(most) else {
            guard request.frames == nil, let seconds = request.seconds else {
                throw APIError.invalid("body.num_frames", "num_frames: the model makes at most \(most) frames, not \(Int(wanted)).")
            }
            throw APIError.invalid(
                "body.seconds",
                "seconds: \(seconds) are \(Int(wanted)) frames at \(JSONValue.number(fps).jsonText) a second; the model makes at most \(most), which is \(Int(Double(most) / fps)) seconds."
            )
        }
        (self.fps, frames) = (fps, max(1, Int(wanted)))
        drawnSize = size.onGrid(defaults.multiple)
        drawnFrames = 1 + (frames - 1 + defaults.frameMultiple - 1) / defaults.frameMultiple * defaults.frameMultiple
    }
}
