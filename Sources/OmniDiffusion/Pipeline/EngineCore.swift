import Dispatch
import Logging
import OmniAPI
import OmniDevices
import OmniEngine
import OmniTensor
import Synchronization

/// What the engines of this target share: a checkpoint in memory, a queue on which requests run one after the other, first
/// come first served, and the lane.
final class EngineCore<Request: SizedRequest, Defaults: Sendable>: Sendable {
    // @unchecked: the adapters are used on the worker queue only.
    struct Loaded: @unchecked Sendable {
        let family: any DiffusionFamily<Request, Defaults>
        /// The family as the table has it.
        let known: PipelineFamily
        let backend: Backend
        let adapters: Adapters
    }

    /// `loaded` goes when the model is shut down.
    private struct State {
        var loaded: Loaded?
        var running: [Int: CancellationToken] = [:]
        var nextRun = 0
    }

    let options: DiffusionOptions
    let lane: HeartbeatLock
    private let worker: DispatchQueue
    /// Requests are planned while another runs: that computes nothing.
    private let planning = DispatchQueue(label: "omni.diffusion.plan")
    private let state: Mutex<State>

    /// Loads a checkpoint. Every file is checked before the first weight is read.
    static func load(
        _ source: CheckpointSource, options: DiffusionOptions, lane: any ComputeLane, logger: Logger,
        progress: @escaping @Sendable (LoadProgress) -> Void,
        family: @escaping @Sendable (Checkpoint) throws -> any DiffusionFamily<Request, Defaults>
    ) async throws -> EngineCore {
        let worker = DispatchQueue(label: "omni.diffusion")
        let loaded = try await worker.run {
            let device = try options.device.map(ComputeDevice.named)
            let backend = try Backend(threads: options.threads, useGPU: options.useGPU, device: device)
            if options.notesOperations { backend.operations.start() }
            let start = ContinuousClock.now
            let checkpoint = try Checkpoint(source, backend: backend, options: options, progress: progress)
            let family = try family(checkpoint)
            let adapters = Adapters(family, backend, kept: options.adapters.count)
            // What does not fit shows now, and not with the first request.
            _ = try adapters.deltas(options.adapters)
            let seconds = start.duration(to: .now) / .seconds(1)
            logger.info(
                "loaded",
                metadata: [
                    "folder": "\(source.path)", "bytes": "\(family.byteCount)", "seconds": "\(seconds)", "device": "\(backend.name)",
                    "kernels": "\(backend.kernels)",
                ])
            return Loaded(family: family, known: checkpoint.family, backend: backend, adapters: adapters)
        }
        return EngineCore(loaded, worker, options, lane)
    }

    private init(_ loaded: Loaded, _ worker: DispatchQueue, _ options: DiffusionOptions, _ lane: any ComputeLane) {
        self.worker = worker
        self.options = options
        self.lane = HeartbeatLock(lane)
        state = Mutex(State(loaded: loaded))
    }

    /// The model's card, with what is known of the loaded checkpoint.
    func card(folder: String) throws -> ModelCard {
        let loaded = try loaded()
        let known = loaded.known
        var details = JSONObject()
        details["pipeline"] = .string(known.pipelines[0])
        details["bytes"] = .integer(Int64(loaded.family.byteCount))
        details["device"] = .string(loaded.backend.name)
        details["device_bytes"] = .integer(Int64(loaded.family.stores.reduce(0) { $0 + $1.deviceBytes }))
        return ModelCard(kind: known.kind, root: folder, details: details)
    }

    func loaded() throws -> Loaded {
        guard let loaded = state.withLock({ $0.loaded }) else { throw ImageModelError.stopped }
        return loaded
    }

    /// Runs what allocates and computes nothing, beside the requests.
    func planned<Value: Sendable>(_ body: @escaping @Sendable (Loaded) throws -> Value) async throws -> Value {
        let loaded = try loaded()
        return try await planning.run { try body(loaded) }
    }

    /// Puts `work` in the queue; `done` is told how it ended, on the queue.
    func perform(
        _ cancellation: CancellationToken, _ work: @escaping @Sendable (Loaded, ComputeScope) throws -> Void,
        done: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) throws {
        // In one piece: whoever shuts down comes before all of it, or finds it in the queue and cancels it.
        try state.withLock { state in
            guard let loaded = state.loaded else { throw ImageModelError.stopped }
            state.nextRun += 1
            let run = state.nextRun
            state.running[run] = cancellation
            worker.async { [self] in
                done(Result { try attempt(loaded, ComputeScope(lane: lane, cancellation: cancellation), work) })
                self.state.withLock { _ = $0.running.removeValue(forKey: run) }
            }
        }
    }

    /// On the worker queue.
    private func attempt(_ loaded: Loaded, _ scope: ComputeScope, _ work: (Loaded, ComputeScope) throws -> Void) throws {
        do {
            try scope.cancellation.check()
            lane.begin()
            defer { lane.end() }
            try work(loaded, scope)
        } catch {
            throw explain(error, loaded)
        }
    }

    func shutdown() async {
        state.withLock { state in
            state.running.values.forEach { $0.cancel() }
            state.loaded = nil
        }
        // When the queue is empty nothing holds the weights any more.
        try? await worker.run {}
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
