import OmniEngine
import OmniTensor

/// A family of models that film: what the shared pipeline cannot know. One folder with its networks, and one line in `all`.
protocol VideoFamily: LoadedNetworks {
    /// `_class_name`s in `model_index.json`.
    static var pipelineClasses: [String] { get }
    static func load(_ checkpoint: Checkpoint) throws -> any VideoFamily

    var defaults: VideoDefaults { get }
    var vae: AutoencoderKLWan { get }
    var scheduler: any NoiseScheduler { get }
    /// Share of the noise levels, 0…1, below which the second expert takes over; nil where there is one model for all.
    var boundaryRatio: Float? { get }

    /// Tokens of a prompt, as the text encoder takes them.
    func tokenize(_ prompt: String) throws -> [Int]
    /// What the denoiser needs of a prompt, once for all steps.
    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor
    /// Throws for a clip that the family cannot film: `[channels, frames, height, width]` of latents.
    func check(_ shape: [Int]) throws
    /// What the first frame's picture gives the denoiser.
    func start(_ executor: Executor, _ scope: ComputeScope, _ plan: VideoPlan, _ picture: FloatImage) throws -> VideoStart
    /// The velocity `noise − film` for `latents`.
    ///
    /// - Parameter isLate: whether the second expert is asked.
    func velocity(_ executor: Executor, _ scope: ComputeScope, _ plan: VideoPlan, _ ask: VideoAsk) throws -> [Float]
    /// What finished latents are with the given picture in its place.
    func finish(_ latents: [Float], _ plan: VideoPlan, _ start: VideoStart?) -> [Float]
    /// What a step takes, and how many blocks of the transformer one graph can have.
    func stepPrice(_ executor: Executor, _ plan: VideoPlan) throws -> (price: GraphPrice, blocksPerGraph: Int)
    /// What a picture to start from takes.
    func startPrice(_ executor: Executor, _ plan: VideoPlan) throws -> GraphPrice
}

/// What the denoiser is asked at a step.
struct VideoAsk {
    let latents: [Float]
    /// The step's time, 0…1000.
    let time: Float
    let isLate: Bool
    let condition: Condition
    let start: VideoStart?
}

/// A picture as the denoiser takes it: latents as it wants them, and what an encoder of pictures sees in it, where the model
/// has one.
struct VideoStart: Sendable {
    let latents: VideoLatents
    let seen: WanInput.Picture?

    var isFinite: Bool { latents.values.allSatisfy(\.isFinite) && (seen?.values.allSatisfy(\.isFinite) ?? true) }
}

/// Every family that is built.
enum VideoFamilies {
    static let all: [any VideoFamily.Type] = [
        WanFamily.self
    ]

    static func load(_ checkpoint: Checkpoint) throws -> any VideoFamily {
        guard let family = all.first(where: { $0.pipelineClasses.contains(checkpoint.pipelineClass) }) else {
            throw DiffusionError.unsupported("a checkpoint of \(checkpoint.pipelineClass)")
        }
        return try family.load(checkpoint)
    }
}
