import Logging
import OmniEngine
import OmniTensor

/// A video model's checkpoint, in memory. Requests run one after the other, first come first served, on a queue of their own.
public final class VideoEngine: VideoModel {
    public let card: ModelCard
    public let videoDefaults: VideoDefaults
    private let core: EngineCore<VideoRequest, VideoDefaults>

    /// Nodes of the largest graph; longer work is cut into several.
    static let nodes = 1 << 17

    /// Loads a checkpoint. Every file is checked before the first weight is read.
    ///
    /// - Parameters:
    ///   - lane: held for each slice of a graph.
    ///   - progress: called now and then, from any thread.
    /// - Throws: ``DiffusionError``, `SingleFileError`, `TensorError` or `TokenizerError`, naming the file and what is wrong with it.
    public static func load(
        _ source: CheckpointSource, options: DiffusionOptions = DiffusionOptions(), lane: any ComputeLane = FreeLane(),
        logger: Logger = Logger(label: "video"), progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) async throws -> VideoEngine {
        let core = try await EngineCore<VideoRequest, VideoDefaults>.load(
            source, options: options, lane: lane, logger: logger, progress: progress
        ) {
            try DiffusionFamilies.videos($0)
        }
        return try VideoEngine(source.path, core)
    }

    private init(_ folder: String, _ core: EngineCore<VideoRequest, VideoDefaults>) throws {
        card = try core.card(folder: folder)
        videoDefaults = try core.loaded().family.defaults
        self.core = core
    }

    /// What its graphs were made of, where the options asked for it.
    package var operations: OperationLog? { try? core.loaded().backend.operations }

    public var stalledFor: Duration? { core.lane.stalledFor }

    public func price(_ request: VideoRequest) async throws -> VideoPrice {
        let (bytes, available, side) = try await core.planned { [options = core.options] in try Self.planner($0, options).estimate(request)
        }
        return VideoPrice(bytes: bytes, available: available, largestSide: side)
    }

    public func generate(_ request: VideoRequest, scope: RequestScope, emit: @escaping @Sendable (VideoEvent) throws -> Void) async throws {
        // What is wrong with the request, or too much, shows before it waits for its turn.
        try await core.planned { [options = core.options] in _ = try Self.planner($0, options).affordable(request) }
        let lane = core.lane
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                do {
                    try core.perform(scope.cancellation) { [options = core.options] loaded, scope in
                        // Memory may have gone while the request waited.
                        let plan = try Self.planner(loaded, options).affordable(request)
                        let executor = try Executor(loaded.backend, capacity: Self.nodes)
                        executor.deltas = try loaded.adapters.deltas(options.adapters + plan.adapters)
                        let run = PipelineRun(executor: executor, scope: scope) { event in
                            try scope.cancellation.check()
                            guard let event = VideoEvent(event, plan.shape) else { return }
                            try emit(event)
                            // Whoever takes the frames may be slow; the engine is not stalled for it.
                            lane.begin()
                        }
                        try DenoisingPipeline(family: loaded.family, plan: plan, run: run).generate()
                    } done: {
                        continuation.resume(with: $0)
                    }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            scope.cancellation.cancel()
        }
    }

    public func shutdown() async { await core.shutdown() }

    private static func planner(_ loaded: EngineCore<VideoRequest, VideoDefaults>.Loaded, _ options: DiffusionOptions) -> MemoryPlanner<
        VideoRequest, VideoDefaults
    > {
        let defaults = loaded.family.defaults
        return MemoryPlanner(
            loaded, options, nodes: nodes, .init(multiple: defaults.multiple, longest: defaults.longestSide ?? VideoSettings.longestSide))
    }
}

extension VideoRequest: SizedRequest {
    func square(_ side: Int) -> VideoRequest {
        var square = self
        (square.width, square.height, square.latents) = (side, side, nil)
        return square
    }
}

extension VideoEvent {
    /// Nil for what video models do not tell.
    init?(_ event: PipelineEvent, _ shape: LatentShape) {
        switch event {
        case .progress(let stage, let step, let steps): self = .progress(stage, step: step, steps: steps)
        case .preview: return nil
        case .latents(let samples):
            guard let latents = VideoLatents(shape: shape.dimensions, values: samples[0]) else { return nil }
            self = .latents(latents)
        case .frame(_, let index, let count, let frame): self = .frame(index: index, count: count, frame)
        }
    }
}
