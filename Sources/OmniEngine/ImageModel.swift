/// A model that draws pictures.
public protocol ImageModel: ServedModel {
    var imageDefaults: ImageDefaults { get }
    /// What the request would take, and the largest picture that this machine's memory allows. Allocates nothing.
    /// Throws ``ImageModelError`` for a request that the model cannot do at any price.
    func price(_ request: ImageRequest) async throws -> ImagePrice
    /// Starts the pictures of a request. Throws ``ImageModelError`` for what is wrong with it, before anything is computed.
    /// Ending the iteration of the events, or the scope's cancellation, stops the work within a step.
    func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error>
}

/// What a request leaves open.
public struct ImageDefaults: Sendable, Equatable {
    public var width: Int
    public var height: Int
    public var steps: Int
    public var guidanceScale: Float
    public var strength: Float
    /// Width and height are multiples of this, pixels.
    public var multiple: Int
    /// The pictures that the model looks at; nil where it takes none, only one to start from.
    public var references: ReferenceLimits?
    /// Whether guidance and negative prompts change anything; they do not where a model was distilled to draw without.
    public var takesGuidance: Bool
    /// What requests may ask for.
    public var limits: DenoisingLimits

    public init(
        width: Int, height: Int, steps: Int, guidanceScale: Float, strength: Float, multiple: Int, references: ReferenceLimits? = nil,
        takesGuidance: Bool = true, limits: DenoisingLimits = DenoisingLimits()
    ) {
        self.width = width
        self.height = height
        self.steps = steps
        self.guidanceScale = guidanceScale
        self.strength = strength
        self.multiple = multiple
        self.references = references
        self.takesGuidance = takesGuidance
        self.limits = limits
    }
}

/// What pictures a model can look at while it draws.
public struct ReferenceLimits: Sendable, Equatable {
    /// Most pictures of a request.
    public var count: Int
    /// Pixels of one; the model sees larger ones at this size.
    public var pixels: Int
    /// Pixels of the shorter side, at least.
    public var shortestSide: Int
    /// Most times that one side may be as long as the other.
    public var aspectRatio: Int

    public init(count: Int, pixels: Int, shortestSide: Int, aspectRatio: Int) {
        (self.count, self.pixels, self.shortestSide, self.aspectRatio) = (count, pixels, shortestSide, aspectRatio)
    }
}

/// A picture, `channels` values for each pixel, rows from the top, each value in 0…1.
public struct FloatImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// 3 for red, green, blue; 1 for a mask.
    public let channels: Int
    /// `[height][width][channels]`.
    public var values: [Float]

    /// Nil unless there are as many values as pixels and channels.
    public init?(width: Int, height: Int, channels: Int = 3, values: [Float]) {
        guard width > 0, height > 0, channels > 0, values.count == width * height * channels else { return nil }
        self.width = width
        self.height = height
        self.channels = channels
        self.values = values
    }
}

/// What to draw. Nil means the model's default.
public struct ImageRequest: Sendable {
    public var prompt: String
    public var negativePrompt: String?
    public var width: Int?
    public var height: Int?
    /// Denoising steps, before `strength` leaves some out.
    public var steps: Int?
    /// Weight of the prompt against the negative prompt; 0 does without, at half the cost.
    public var guidanceScale: Float?
    /// The same by the name that some models have for it, `true_cfg_scale`: 1 or less does without. Each model looks at its own name
    /// first, then at the other.
    public var trueGuidanceScale: Float?
    /// Upper bound of the guided prediction's norm, in norms of the prompt's own; 0 sets none.
    public var guidanceNormalization: Float = 0
    /// Share of the way, 0…1, after which guidance stops.
    public var guidanceTruncation: Float = 1
    /// The same seed gives the same pictures.
    public var seed: UInt64
    /// Pictures, all from one seed.
    public var count = 1
    /// The picture to start from, `width`×`height`, three channels. A model that takes references sees it as the first of them.
    public var input: FloatImage?
    /// Where to draw anew: 1 draws, 0 keeps the input; one channel, the input's size.
    public var mask: FloatImage?
    /// How far to leave the input, 0…1.
    public var strength: Float?
    /// Pictures to look at, each of a size of its own in the model's multiples, three channels. Without a size the first one's counts.
    public var references: [FloatImage] = []
    /// Low-rank adapters on the transformer, each added with its weight.
    public var adapters: [ImageAdapter] = []
    /// Reuses predictions while the latents have changed by less than this share since the last one; 0 never does.
    public var cacheThreshold: Float = 0
    /// Previews wanted on the way, spread evenly over the steps.
    public var previews = 0

    public init(prompt: String, seed: UInt64) {
        self.prompt = prompt
        self.seed = seed
    }
}

/// A low-rank adapter (LoRA) for one request.
public struct ImageAdapter: Sendable, Hashable {
    /// A safetensors file.
    public var path: String
    public var scale: Float

    public init(path: String, scale: Float = 1) {
        self.path = path
        self.scale = scale
    }
}

/// What a model tells while it draws.
public enum ImageEvent: Sendable {
    /// `step` of `steps` of a stage are done.
    case progress(ImageStage, step: Int, steps: Int)
    /// Roughly what picture `index` will be; small.
    case preview(index: Int, number: Int, FloatImage)
    /// Picture `index` is done.
    case image(index: Int, FloatImage)
}

/// What a request would take, bytes beyond what the loaded model holds.
public struct ImagePrice: Sendable, Equatable {
    public var bytes: Int
    /// Bytes that the machine can still give, when asked; nil where that is unknown.
    public var available: Int?
    /// The largest square, pixels a side, whose price is within `available`; nil where even the smallest is not.
    public var largestSide: Int?

    public init(bytes: Int, available: Int? = nil, largestSide: Int? = nil) {
        self.bytes = bytes
        self.available = available
        self.largestSide = largestSide
    }
}

/// Why a picture was not drawn.
public enum ImageModelError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The request asks what the model cannot do; the parameter and what to change.
    case invalid(parameter: String, reason: String)
    /// Memory: the request's price, and what is missing of it.
    case memory(needed: Int, lacking: Int, largestSide: Int?)
    /// The numbers went wrong at `stage`.
    case notFinite(stage: String, cause: String)
    /// The model was shut down.
    case stopped

    public var description: String {
        switch self {
        case .invalid(let parameter, let reason): "\(parameter) \(reason)"
        case .memory(let needed, let lacking, let side):
            "this needs \(needed) bytes, \(lacking) more than there are" + (side.map { "; \($0)x\($0) would fit" } ?? "")
        case .notFinite(let stage, let cause): "the numbers became infinite or undefined in \(stage): \(cause)"
        case .stopped: "the model was shut down"
        }
    }
}
