import Logging
import OmniEngine
import OmniTensor

/// A checkpoint that films, in memory. Requests run one after the other, first come first served, on a queue of their own.
public final class VideoEngine: VideoModel {
    public let card: ModelCard
    public let videoDefaults: VideoDefaults
    private let core: EngineCore<any VideoFamily>

    /// Nodes of the largest graph; longer work is cut into several.
    static let nodes = 1 << 17

    /// Loads the diffusers checkpoint in `folder`. Every file is checked before the first weight is read.
    ///
    /// - Parameters:
    ///   - lane: held for each slice of a graph.
    ///   - progress: called now and then, from any thread.
    /// - Throws: ``DiffusionError``, `TensorError` or `TokenizerError`, naming the file and what is wrong with it.
    public static func load(
        folder: String, options: DiffusionOptions = DiffusionOptions(), lane: any ComputeLane = FreeLane(),
        logger: Logger = Logger(label: "video"), progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) async throws -> VideoEngine {
        let core = try await EngineCore<any VideoFamily>.load(folder: folder, options: options, lane: lane, logger: logger, progress: progress) {
            let family = try VideoFamilies.load($0)
            return (family, family)
        }
        return try VideoEngine(folder, core)
    }

    private init(_ folder: String, _ core: EngineCore<any VideoFamily>) throws {
        let family = try core.loaded().family
        card = try core.card(.video, folder: folder, pipeline: type(of: family).pipelineClasses[0])
        videoDefaults = family.defaults
        self.core = core
    }

    public var stalledFor: Duration? { core.lane.stalledFor }

    public func price(_ request: VideoRequest) async throws -> VideoPrice {
        try await core.priced { [options = core.options] in try VideoPricing(loaded: $0, options: options).price(request) }
    }

    public func generate(_ request: VideoRequest, scope: RequestScope, emit: @escaping @Sendable (VideoEvent) throws -> Void) async throws {
        // What is wrong with the request, or too much, shows before it waits for its turn.
        _ = try await core.priced { [options = core.options] in try VideoPricing(loaded: $0, options: options).affordable(request) }
        let lane = core.lane
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                do {
                    try core.perform(scope.cancellation) { [options = core.options] loaded, scope in
                        // Memory may have gone while the request waited.
                        let plan = try VideoPricing(loaded: loaded, options: options).affordable(request)
                        let executor = try Executor(loaded.backend, capacity: Self.nodes)
                        executor.deltas = try loaded.adapters.deltas(plan.adapters)
                        try VideoPipeline(family: loaded.family, executor: executor, scope: scope, plan: plan) { event in
                            try scope.cancellation.check()
                            try emit(event)
                            // Whoever takes the frames may be slow; the engine is not stalled for it.
                            lane.begin()
                        }.run()
                    } done: { continuation.resume(with: $0) }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            scope.cancellation.cancel()
        }
    }

    public func shutdown() async { await core.shutdown() }
}
