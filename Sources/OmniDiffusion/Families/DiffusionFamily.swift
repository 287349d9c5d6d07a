import OmniEngine
import OmniTensor

/// The networks of a checkpoint, as far as engines must know them.
protocol LoadedNetworks: Sendable {
    /// Everything loaded, for counting bytes and for finding what made numbers infinite.
    var stores: [WeightStore] { get }
    /// The transformer's weights, which adapters change; of two experts, first those for much noise.
    var adaptable: [WeightStore] { get }
    /// The order in which outputs of the transformer's tensor `name` were loaded; nil where the file's was kept.
    func order(_ name: String, _ outputs: Int) -> [Int]?
    /// Another name that adapters use for the transformer's module; nil where there is none.
    func alias(_ module: String) -> String?
    /// The name that adapters use for the transformer's module together with others; nil where there is none.
    func fused(_ module: String) -> FusedName?
}

/// A name for several matrices whose outputs lie one after the other.
struct FusedName: Sendable, Equatable {
    let name: String
    /// Place among them.
    let part: Int
}

extension LoadedNetworks {
    func alias(_ module: String) -> String? { nil }
    func fused(_ module: String) -> FusedName? { nil }
    var byteCount: Int { stores.reduce(0) { $0 + $1.byteCount } }
}

/// A family of diffusion models: it reads a checkpoint, plans requests, and decodes what the shared loop made of a plan.
///
/// One folder with its networks, and one line in ``DiffusionFamilies/all``. ``ImageRecipe`` makes the plan of a family that
/// denoises pictures after a text.
protocol DiffusionFamily<Request, Defaults>: LoadedNetworks {
    associatedtype Request: SizedRequest
    associatedtype Defaults: Sendable

    /// As `PipelineFamily` names it.
    static var name: String { get }
    /// Reads a checkpoint of the family.
    ///
    /// - Throws: ``DiffusionError``, `TensorError` or `TokenizerError`, naming the file and what is wrong with it.
    static func load(_ checkpoint: Checkpoint) throws -> Self

    /// What requests leave open.
    var defaults: Defaults { get }
    /// Every choice that the request leaves, and what it takes. Computes nothing.
    ///
    /// - Throws: ``ImageModelError/invalid(parameter:reason:)`` for what the model cannot do.
    func plan(_ request: Request, _ context: PlanningContext) throws -> DenoisingPlan
    /// Decodes a sample's finished latents, and emits its frames and how far it is.
    func decode(_ plan: DenoisingPlan, _ latents: [Float], sample: Int, _ run: PipelineRun) throws
}

/// A family that makes pictures.
protocol ImageFamily: DiffusionFamily where Request == ImageRequest, Defaults == ImageDefaults {}

/// A family that makes videos.
protocol VideoFamily: DiffusionFamily where Request == VideoRequest, Defaults == VideoDefaults {}
