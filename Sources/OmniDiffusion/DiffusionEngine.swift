import Logging
import OmniEngine
import OmniTensor

/// A checkpoint that draws, in memory. Requests run one after the other, first come first served, on a queue of their own.
public final class DiffusionEngine: ImageModel {
    public let card: ModelCard
    public let imageDefaults: ImageDefaults
    private let core: EngineCore<any DiffusionFamily>

    /// Loads the diffusers checkpoint in `folder`. Every file is checked before the first weight is read.
    ///
    /// - Parameters:
    ///   - lane: held for each slice of a graph.
    ///   - progress: called now and then, from any thread.
    /// - Throws: ``DiffusionError``, `TensorError` or `TokenizerError`, naming the file and what is wrong with it.
    public static func load(
        folder: String, options: DiffusionOptions = DiffusionOptions(), lane: any ComputeLane = FreeLane(),
        logger: Logger = Logger(label: "diffusion"), progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) async throws -> DiffusionEngine {
        let core = try await EngineCore<any DiffusionFamily>.load(folder: folder, options: options, lane: lane, logger: logger, progress: progress) {
            let family = try DiffusionFamilies.load($0)
            return (family, family)
        }
        return try DiffusionEngine(folder, core)
    }

    private init(_ folder: String, _ core: EngineCore<any DiffusionFamily>) throws {
        let family = try core.loaded().family
        card = try core.card(.image, folder: folder, pipeline: type(of: family).pipelineClass)
        imageDefaults = family.defaults
        self.core = core
    }

    public var stalledFor: Duration? { core.lane.stalledFor }

    public func price(_ request: ImageRequest) async throws -> ImagePrice {
        try await core.priced { [options = core.options] in try Pricing($0, options).price(request) }
    }

    public func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error> {
        // What is wrong with the request, or too much, shows before it waits for its turn.
        try await core.priced { [options = core.options] in _ = try Pricing($0, options).affordable(request) }
        let (events, continuation) = AsyncThrowingStream<ImageEvent, any Error>.makeStream()
        continuation.onTermination = { if case .cancelled = $0 { scope.cancellation.cancel() } }
        try core.perform(scope.cancellation) { [options = core.options] loaded, scope in
            // Memory may have gone while the request waited.
            let plan = try Pricing(loaded, options).affordable(request)
            // The executor's memory goes back with it.
            let executor = try Executor(loaded.backend)
            executor.deltas = try loaded.adapters.deltas(plan.adapters)
            try DiffusionPipeline(family: loaded.family, executor: executor, scope: scope, plan: plan) { continuation.yield($0) }.run()
        } done: { result in
            switch result {
            case .success: continuation.finish()
            case .failure(let error): continuation.finish(throwing: error)
            }
        }
        return events
    }

    public func shutdown() async { await core.shutdown() }
}
