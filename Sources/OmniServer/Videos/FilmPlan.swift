import OmniAPI
import OmniEngine
import OmniMedia

/// What is filmed for a request, with every choice made: the size asked for is the size given, whatever grid the model draws on.
struct FilmPlan: Sendable, Equatable {
    /// The clip's.
    var size: ImageSize
    var frames: Int
    var fps: Double
    /// What the model makes of it: the next larger size on its grid, and the next number of frames that its autoencoder packs.
    var drawnSize: ImageSize
    var drawnFrames: Int

    /// Longest side of a clip's frame, pixels: codecs take no more.
    static let longestSide = 16384
    /// Frames of a clip; far more than memory holds of any model's.
    static let mostFrames = 1 << 16

    /// - Parameter picture: the size of the picture that the clip starts from, whose proportions it takes unless asked otherwise.
    /// - Throws: ``APIError`` 400 for what no clip can be.
    init(_ request: VideoGenerationRequest, _ defaults: VideoDefaults, picture: ImageSize?) throws {
        let own = ImageSize(width: defaults.width, height: defaults.height)
        let standard = picture.map { own.area(inProportionsOf: $0, multiple: defaults.multiple) } ?? own
        size = ImageSize(width: request.size?.width ?? request.width ?? standard.width, height: request.size?.height ?? request.height ?? standard.height)
        let longest = min(Self.longestSide, defaults.longestSide ?? .max)
        guard (2...longest).contains(size.width), (2...longest).contains(size.height) else {
            let field = request.size != nil ? "size" : request.width.map { !(2...longest).contains($0) } ?? false ? "width" : request.height != nil ? "height" : "size"
            throw APIError.invalid("body.\(field)", "\(field): a clip of \(size) cannot be made; sides are from 2 to \(longest) pixels.")
        }
        let fps = request.fps ?? defaults.fps
        let most = min(Self.mostFrames, defaults.mostFrames ?? .max)
        let wanted = request.frames.map(Double.init) ?? request.seconds.map { (Double($0) * fps).rounded() } ?? Double(defaults.frames)
        guard wanted <= Double(most) else {
            guard request.frames == nil, let seconds = request.seconds else {
                throw APIError.invalid("body.num_frames", "num_frames: the model films at most \(most) frames, not \(Int(wanted)).")
            }
            throw APIError.invalid(
                "body.seconds",
                "seconds: \(seconds) are \(Int(wanted)) frames at \(JSONValue.number(fps).jsonText) a second; the model films at most \(most), which is \(Int(Double(most) / fps)) seconds.")
        }
        (self.fps, frames) = (fps, max(1, Int(wanted)))
        drawnSize = size.onGrid(defaults.multiple)
        drawnFrames = 1 + (frames - 1 + defaults.frameMultiple - 1) / defaults.frameMultiple * defaults.frameMultiple
    }
}

extension ImageSize {
    /// The size of about this area in another's proportions, its sides multiples of `multiple`.
    func area(inProportionsOf other: ImageSize, multiple: Int) -> ImageSize {
        let ratio = Double(other.width) / Double(other.height)
        func down(_ value: Double) -> Int { max(multiple, Int(value) / multiple * multiple) }
        return ImageSize(width: down((Double(pixels) * ratio).squareRoot()), height: down((Double(pixels) / ratio).squareRoot()))
    }
}

extension VideoRequest {
    /// What the engine is asked.
    ///
    /// - Parameter picture: of any size.
    init(_ request: VideoGenerationRequest, seed: Int, _ plan: FilmPlan, picture: Picture?, adapters: [ImageAdapter]) {
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
