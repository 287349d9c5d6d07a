/// A model that videos.
public protocol VideoModel: ServedModel {
    var videoDefaults: VideoDefaults { get }
    /// What the request would take, and the largest clip side that this machine's memory allows. Allocates nothing.
    /// Throws ``VideoModelError`` for a request that the model cannot do at any price.
    func price(_ request: VideoRequest) async throws -> VideoPrice
    /// Generates the video of a request to its end. Throws ``VideoModelError`` for what is wrong with it, before anything is computed.
    ///
    /// - Parameters:
    ///   - scope: its cancellation stops the work inside a step, with `CancellationError`.
    ///   - emit: called in order on a thread of the engine, which waits for it: frames are made no faster than they are taken.
    ///     What it throws ends the work and is thrown here.
    func generate(_ request: VideoRequest, scope: RequestScope, emit: @escaping @Sendable (VideoEvent) throws -> Void) async throws
}

/// What a request leaves open.
public struct VideoDefaults: Sendable, Equatable {
    public var width: Int
    public var height: Int
    public var frames: Int
    /// Frames a second.
    public var fps: Double
    public var steps: Int
    public var guidanceScale: Float
    /// Width and height are multiples of this, pixels.
    public var multiple: Int
    /// A clip has `1 + k·frameMultiple` frames, as the autoencoder packs them in time.
    public var frameMultiple: Int
    /// Whether a clip can begin with a given picture, and whether it must.
    public var startsFromPicture: Bool
    public var needsPicture: Bool
    /// Longest side, pixels, and most frames that the model can make at any price; nil where it sets no limit.
    public var longestSide: Int?
    public var mostFrames: Int?
    /// What requests may ask for.
    public var limits: DenoisingLimits

    public init(
        width: Int, height: Int, frames: Int, fps: Double, steps: Int, guidanceScale: Float, multiple: Int, frameMultiple: Int,
        startsFromPicture: Bool = false,
        needsPicture: Bool = false, longestSide: Int? = nil, mostFrames: Int? = nil, limits: DenoisingLimits = DenoisingLimits()
    ) {
        self.width = width
        self.height = height
        self.frames = frames
        self.fps = fps
        self.steps = steps
        self.guidanceScale = guidanceScale
        self.multiple = multiple
        self.frameMultiple = frameMultiple
        self.startsFromPicture = startsFromPicture
        self.needsPicture = needsPicture
        self.longestSide = longestSide
        self.mostFrames = mostFrames
        self.limits = limits
    }
}

/// Prompt. Nil means the model's default.
public struct VideoRequest: Sendable {
    public var prompt: String
    public var negativePrompt: String?
    public var width: Int?
    public var height: Int?
    public var frames: Int?
    /// Frames a second; told to models that know of it, and to whoever plays the clip.
    public var fps: Double?
    public var steps: Int?
    /// Weight of the prompt against the negative prompt; 1 or less does without, at half the cost.
    public var guidanceScale: Float?
    /// The same for the second expert, of models that have two.
    public var guidanceScale2: Float?
    /// Share of the noise levels, 0…1, below which the second expert takes over.
    public var boundaryRatio: Float?
    public var flowShift: Float?
    /// The same seed gives the same clip.
    public var seed: UInt64
    /// The first frame, `width`×`height`, three channels.
    public var picture: FloatImage?
    /// Finished latents of the same request: nothing is denoised, they are only decoded.
    public var latents: VideoLatents?
    public var adapters: [ImageAdapter] = []

    public init(prompt: String, seed: UInt64) {
        self.prompt = prompt
        self.seed = seed
    }
}

/// A clip before it is decoded: what is kept so that the rest can be tried again.
public struct VideoLatents: Sendable, Equatable {
    /// `[channels, frames, height, width]`, of latents.
    public let shape: [Int]
    /// Row by row, the last dimension fastest.
    public let values: [Float]

    /// Nil unless there are as many values as the shape says.
    public init?(shape: [Int], values: [Float]) {
        guard shape.count == 4, shape.allSatisfy({ $0 > 0 }), values.count == shape.reduce(1, *) else { return nil }
        self.shape = shape
        self.values = values
    }
}

/// What a model reports while it makes a video.
public enum VideoEvent: Sendable {
    /// `step` of `steps` of a stage are done.
    case progress(VideoStage, step: Int, steps: Int)
    /// Denoising is over; told once, before the first frame, and not for a request that came with latents.
    case latents(VideoLatents)
    /// Frame `index` of `count`, in order.
    case frame(index: Int, count: Int, FloatImage)
}

/// What a request would take, bytes beyond what the loaded model holds.
public struct VideoPrice: Sendable, Equatable {
    public var bytes: Int
    /// Bytes that the machine can still give, when asked; nil where that is unknown.
    public var available: Int?
    /// The largest square of as many frames, pixels a side, whose price is within `available`; nil where even the smallest is not.
    public var largestSide: Int?

    public init(bytes: Int, available: Int? = nil, largestSide: Int? = nil) {
        self.bytes = bytes
        self.available = available
        self.largestSide = largestSide
    }
}

/// Why a clip was not generated.
public typealias VideoModelError = ImageModelError
