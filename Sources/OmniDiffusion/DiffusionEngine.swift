import Dispatch
import Logging
import OmniAPI
import OmniEngine
import OmniTensor
import Synchronization

/// A diffusion checkpoint in memory. Requests run one after the other, first come first served, on a queue of their own.
public final class DiffusionEngine: ImageModel {
    public let card: ModelCard
    public let imageDefaults: ImageDefaults
    private let worker: DispatchQueue
    /// Prices are told while a picture is drawn: they allocate and compute nothing.
    private let pricing = DispatchQueue(label: "omni.diffusion.price")
    private let lane: PulsingLane
    private let options: DiffusionOptions
    private let logger: Logger
    private let state: Mutex<State>

    /// `family` and `backend` go when the model is shut down.
    private struct State {
        var loaded: Loaded?
        var running: [Int: CancellationToken] = [:]
        var nextRun = 0
    }

    // @unchecked: the adapters are used on the worker queue only.
    struct Loaded: @unchecked Sendable {
        let family: any DiffusionFamily
        let backend: Backend
        let adapters: Adapters
    }

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
        let worker = DispatchQueue(label: "omni.diffusion")
        let loaded = try await worker.run {
            let backend = try Backend(threads: options.threads, useGPU: options.useGPU)
            let start = ContinuousClock.now
            let checkpoint = try Checkpoint(folder: folder, backend: backend, options: options, progress: progress)
            let family = try DiffusionFamilies.load(checkpoint)
            let bytes = family.stores.reduce(0) { $0 + $1.byteCount }
            let seconds = start.duration(to: .now) / .seconds(1)
            logger.info("loaded", metadata: ["folder": "\(folder)", "bytes": "\(bytes)", "seconds": "\(seconds)", "device": "\(backend.name)"])
            return Loaded(family: family, backend: backend, adapters: Adapters(family, backend))
        }
        return DiffusionEngine(folder, loaded, worker, options, lane, logger)
    }

    private init(_ folder: String, _ loaded: Loaded, _ worker: DispatchQueue, _ options: DiffusionOptions, _ lane: any ComputeLane, _ logger: Logger) {
        var details = JSONObject()
        details["pipeline"] = .string(type(of: loaded.family).pipelineClass)
        details["bytes"] = .integer(Int64(loaded.family.stores.reduce(0) { $0 + $1.byteCount }))
        details["device"] = .string(loaded.backend.name)
        card = ModelCard(kind: .image, root: folder, details: details)
        imageDefaults = loaded.family.defaults
        self.worker = worker
        self.options = options
        self.logger = logger
        self.lane = PulsingLane(lane)
        state = Mutex(State(loaded: loaded))
    }

    public var stalledFor: Duration? { lane.stalledFor }

    public func price(_ request: ImageRequest) async throws -> ImagePrice {
        let loaded = try self.loaded()
        return try await pricing.run { [options] in try Pricing(loaded, options).price(request) }
    }

    public func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error> {
        let loaded = try self.loaded()
        // What is wrong with the request, or too much, shows before it waits for its turn.
        try await pricing.run { [options] in _ = try Pricing(loaded, options).affordable(request) }
        let (events, continuation) = AsyncThrowingStream<ImageEvent, any Error>.makeStream()
        let run = state.withLock { state in
            state.nextRun += 1
            state.running[state.nextRun] = scope.cancellation
            return state.nextRun
        }
        continuation.onTermination = { if case .cancelled = $0 { scope.cancellation.cancel() } }
        worker.async { [self] in
            do {
                try work(request, loaded, ComputeScope(lane: lane, cancellation: scope.cancellation)) { continuation.yield($0) }
                continuation.finish()
            } catch {
                continuation.finish(throwing: explain(error, loaded))
            }
            state.withLock { _ = $0.running.removeValue(forKey: run) }
        }
        return events
    }

    public func shutdown() async {
        state.withLock { state in
            state.running.values.forEach { $0.cancel() }
            state.loaded = nil
        }
        // When the queue is empty nothing holds the weights any more.
        try? await worker.run {}
    }

    private func loaded() throws -> Loaded {
        guard let loaded = state.withLock({ $0.loaded }) else { throw ImageModelError.stopped }
        return loaded
    }

    /// On the worker queue.
    private func work(_ request: ImageRequest, _ loaded: Loaded, _ scope: ComputeScope, _ emit: @escaping (ImageEvent) -> Void) throws {
        try scope.cancellation.check()
        lane.begin()
        defer { lane.end() }
        // Memory may have gone while the request waited.
        let plan = try Pricing(loaded, options).affordable(request)
        // The executor's memory goes back with it.
        let executor = try Executor(loaded.backend)
        executor.deltas = try loaded.adapters.deltas(plan.adapters)
        try DiffusionPipeline(family: loaded.family, executor: executor, scope: scope, plan: plan, emit: emit).run()
    }

    /// Names the weights at fault where numbers went wrong, and turns the device's refusal into the request's.
    private func explain(_ error: any Error, _ loaded: Loaded) -> any Error {
        switch error {
        case ImageModelError.notFinite(let stage, let cause):
            let culprit = loaded.family.stores.lazy.compactMap { store in store.firstNotFinite().map { "\($0) in \(store.source)" } }.first
            return ImageModelError.notFinite(stage: stage, cause: culprit.map { "the weights \($0) hold such values" } ?? cause)
        case TensorError.memory(let bytes, _):
            return ImageModelError.memory(needed: bytes, lacking: bytes, largestSide: nil)
        default:
            return error
        }
    }
}

extension DispatchQueue {
    /// Runs `body` here and waits without blocking the caller's thread.
    fileprivate func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            async { continuation.resume(with: Result(catching: body)) }
        }
    }
}
