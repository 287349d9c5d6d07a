import Logging
import OmniEngine
import OmniTensor

/// An image model's checkpoint, in memory. Requests run one after the other, first come first served, on a queue of their own.
public final class DiffusionEngine: ImageModel {
    public let card: ModelCard
    public let imageDefaults: ImageDefaults
    private let core: EngineCore<ImageRequest, ImageDefaults>
    private static let nodes = 1 << 16

    /// Loads a checkpoint. Every file is checked before the first weight is read.
    ///
    /// - Parameters:
    ///   - lane: held for each slice of a graph.
    ///   - progress: called now and then, from any thread.
    /// - Throws: ``DiffusionError``, `SingleFileError`, `TensorError` or `TokenizerError`, naming the file and what is wrong with it.
    public static func load(
        _ source: CheckpointSource, options: DiffusionOptions = DiffusionOptions(), lane: any ComputeLane = FreeLane(),
        logger: Logger = Logger(label: "diffusion"), progress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) async throws -> DiffusionEngine {
        let core = try await EngineCore<ImageRequest, ImageDefaults>.load(
            source, options: options, lane: lane, logger: logger, progress: progress
        ) {
            try DiffusionFamilies.images($0)
        }
        return try DiffusionEngine(source.path, core)
    }

    private init(_ folder: String, _ core: EngineCore<ImageRequest, ImageDefaults>) throws {
        card = try core.card(folder: folder)
        imageDefaults = try core.loaded().family.defaults
        self.core = core
    }

    /// What its graphs were made of, where the options asked for it.
    package var operations: OperationLog? { try? core.loaded().backend.operations }

    public var stalledFor: Duration? { core.lane.stalledFor }

    public func price(_ request: ImageRequest) async throws -> ImagePrice {
        let (bytes, available, side) = try await core.planned { [options = core.options] in try Self.planner($0, options).estimate(request)
        }
        return ImagePrice(bytes: bytes, available: available, largestSide: side)
    }

    public func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error> {
        // What is wrong with the request, or too much, shows before it waits for its turn.
        try await core.planned { [options = core.options] in _ = try Self.planner($0, options).affordable(request) }
        let (events, continuation) = AsyncThrowingStream<ImageEvent, any Error>.makeStream()
        continuation.onTermination = { if case .cancelled = $0 { scope.cancellation.cancel() } }
        try core.perform(scope.cancellation) { [options = core.options] loaded, scope in
            // Memory may have gone while the request waited.
            let plan = try Self.planner(loaded, options).affordable(request)
            // The executor's memory goes back with it.
            let executor = try Executor(loaded.backend, capacity: Self.nodes)
            executor.deltas = try loaded.adapters.deltas(options.adapters + plan.adapters)
            let run = PipelineRun(executor: executor, scope: scope) { if let event = ImageEvent($0) { continuation.yield(event) } }
            try DenoisingPipeline(family: loaded.family, plan: plan, run: run).generate()
        } done: { result in
            switch result {
            case .success: continuation.finish()
            case .failure(let error): continuation.finish(throwing: error)
            }
        }
        return events
    }

    public func shutdown() async { await core.shutdown() }

    private static func planner(_ loaded: EngineCore<ImageRequest, ImageDefaults>.Loaded, _ options: DiffusionOptions) -> MemoryPlanner<
        ImageRequest, ImageDefaults
    > {
        MemoryPlanner(loaded, options, nodes: nodes, .init(multiple: loaded.family.defaults.multiple, longest: ImageSettings.longestSide))
    }
}

extension ImageRequest: SizedRequest {
    func square(_ side: Int) -> ImageRequest {
        var square = self
        (square.width, square.height, square.input, square.mask) = (side, side, nil, nil)
        return square
    }
}

extension ImageEvent {
    /// Nil for what image models do not tell.
    init?(_ event: PipelineEvent) {
        switch event {
        case .progress(let stage, let step, let steps): self = .progress(stage, step: step, steps: steps)
        case .preview(let sample, let number, let image): self = .preview(index: sample, number: number, image)
        case .latents: return nil
        case .frame(let sample, _, _, let image): self = .image(index: sample, image)
        }
    }
}
