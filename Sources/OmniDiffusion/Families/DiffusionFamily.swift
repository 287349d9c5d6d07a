import OmniEngine
import OmniTensor

/// The networks of a checkpoint, as far as engines of all kinds must know them.
protocol LoadedNetworks: Sendable {
    /// Everything loaded, for counting bytes and for finding what made numbers infinite.
    var stores: [WeightStore] { get }
    /// The transformer's weights, which adapters change.
    var adaptable: WeightStore { get }
    /// The order in which outputs of the transformer's tensor `name` were loaded; nil where the file's was kept.
    func order(_ name: String, _ outputs: Int) -> [Int]?
    /// Another name that adapters use for the transformer's module; nil where there is none.
    func alias(_ module: String) -> String?
}

extension LoadedNetworks {
    func alias(_ module: String) -> String? { nil }
    var byteCount: Int { stores.reduce(0) { $0 + $1.byteCount } }
}

/// A family of models that draw: what the shared pipeline cannot know. One folder with its networks, and one line in `all`.
protocol DiffusionFamily: LoadedNetworks {
    /// `_class_name` in `model_index.json`.
    static var pipelineClass: String { get }
    static func load(_ checkpoint: Checkpoint) throws -> any DiffusionFamily

    var defaults: ImageDefaults { get }
    var vae: AutoencoderKL { get }
    var scheduler: FlowMatchEuler { get }
    /// Tokens of a prompt, as the text encoder takes them.
    func tokenize(_ prompt: String) throws -> [Int]
    /// What the denoiser needs of a prompt, once for all steps.
    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor
    /// Tokens that latents of this size become; sets a dynamic shift.
    func pictureTokens(_ latents: Plane) -> Int
    /// The velocities `noise − picture` as the transformer lays them out, one after the other, for latents of one size.
    ///
    /// - Parameter progress: share of the way that is done, 0 at noise.
    func velocity(_ graph: Graph, _ asks: [ImageAsk], progress: Float) throws -> Tensor
    /// The transformer's layout back to `[width, height, channels]`.
    func unpack(_ values: [Float], like latents: Plane) -> Plane
    /// Throws for a picture that the family cannot draw.
    func check(_ latents: Plane, tokens: Int) throws
}

/// What the denoiser is asked for one picture.
struct ImageAsk: Sendable {
    let latents: Plane
    let condition: Condition
}

/// A prompt as the denoiser takes it.
struct Condition: Sendable {
    /// As the family's `condition` made them.
    var values: [Float]
    /// Tokens of the prompt.
    var tokens: Int
    /// The shape of `values`.
    var shape: [Int]
}

/// Every family that is built.
enum DiffusionFamilies {
    static let all: [any DiffusionFamily.Type] = [
        ZImageFamily.self
    ]

    static func load(_ checkpoint: Checkpoint) throws -> any DiffusionFamily {
        guard let family = all.first(where: { $0.pipelineClass == checkpoint.pipelineClass }) else {
            throw DiffusionError.unsupported("a checkpoint of \(checkpoint.pipelineClass)")
        }
        return try family.load(checkpoint)
    }
}
