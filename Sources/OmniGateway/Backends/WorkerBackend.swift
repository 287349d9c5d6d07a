import Logging
import NIOCore
import OmniAPI
import OmniAccess
import OmniEngine
import OmniWorkerAPI
import Synchronization

/// A worker process with one model, behind a Unix socket: started, watched, restarted and ended here.
public final class WorkerBackend: Backend {
    struct Shared {
        var lifecycle = WorkerLifecycle()
        /// What the worker said when it was ready; of the last one while none runs.
        var report = WorkerStatus()
        /// What the last load took.
        var loading: Duration?
        /// What a request said of how long it stays loaded; until it sleeps.
        var keepAlive: KeepAlive?
        /// The process of now, or the last one.
        var process: WorkerRun?
        /// The back-off's clock, or the rest's.
        var timer: Task<Void, Never>?
        /// Requests that wait for the model to wake.
        var wakers = 0
        /// Counts the events, so that none is missed between looking and waiting.
        var changes = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
    }

    public let id: String
    let launch: WorkerLaunch
    let launcher: any WorkerLauncher
    let link: any WorkerLink
    let clock: BackendClock
    let logger: Logger
    let idleUnload: Duration?
    /// Stays loaded, whoever needs room.
    let isPinned: Bool
    /// What it takes in memory before it has said so itself.
    let expectedBytes: Int
    let room: ModelRoom?
    let drainLimit: Duration
    let counter: OutstandingCounter
    let shared = Mutex(Shared())
    let onChange: @Sendable () -> Void

    /// `idleUnload` puts the model to sleep after that long without requests; the next one wakes it. `drainLimit`: how long
    /// running requests may go on once the model is sent to sleep. `room`: where it asks before it loads; `expectedBytes`: what it will
    /// take there. `onChange` is called after each change of state.
    public convenience init(
        id: String, launch: WorkerLaunch, client: UpstreamClient, idleUnload: Duration? = nil, isPinned: Bool = false,
        expectedBytes: Int = 0, room: ModelRoom? = nil, drainLimit: Duration, logger: Logger,
        onChange: @escaping @Sendable () -> Void
    ) {
        var logger = logger
        logger[metadataKey: "model"] = .string(id)
        self.init(
            id: id, launch: launch, launcher: ProcessLauncher(logger: logger), link: SocketLink(client: client, socket: launch.socket),
            clock: .system,
            idleUnload: idleUnload, isPinned: isPinned, expectedBytes: expectedBytes, room: room, drainLimit: drainLimit, logger: logger,
            onChange: onChange)
    }

    init(
        id: String, launch: WorkerLaunch, launcher: any WorkerLauncher, link: any WorkerLink, clock: BackendClock,
        idleUnload: Duration? = nil, isPinned: Bool = false, expectedBytes: Int = 0, room: ModelRoom? = nil,
        drainLimit: Duration, logger: Logger, onChange: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.launch = launch
        self.launcher = launcher
        self.link = link
        self.clock = clock
        self.idleUnload = idleUnload
        self.isPinned = isPinned
        self.expectedBytes = expectedBytes
        self.room = room
        self.drainLimit = drainLimit
        self.logger = logger
        self.onChange = onChange
        counter = OutstandingCounter(clock: clock)
        room?.join(self)
    }

    public var outstanding: Int { counter.count }

    public var status: BackendStatus {
        shared.withLock { shared in
            let state: BackendStatus.State =
                switch shared.lifecycle.state {
                case .asleep, .draining, .stopping(then: .sleep), .shutDown: .asleep
                case .loading(let fraction): .loading(fraction)
                case .stopping(then: .wake): .loading(0)
                case .ready: .ready
                case .backingOff: .restarting
                case .failed(let reason, _), .stopping(then: .fail(let reason)): .failed(reason: reason)
                }
            var status = BackendStatus(state: state, root: launch.root)
            status.safeMode = shared.lifecycle.safeMode?.reason
            if shared.report.state == .ready { status.capabilities = Set(shared.report.capabilities.compactMap(ModelCapability.init)) }
            status.maxModelLength = shared.report.maxModelLength
            status.inputParts = shared.report.inputParts
            status.voices = shared.report.voices
            status.clonesVoices = shared.report.clonesVoices
            status.sampleRate = shared.report.sampleRate
            status.video = shared.report.video
            status.memoryBytes = shared.report.memoryBytes
            status.unloadsAfter = isPinned ? nil : lifetime(shared.keepAlive).map { $0 - (shared.process.flatMap(idleTime) ?? .zero) }
            return status
        }
    }

    /// Starts the process without waiting for it.
    public func start() { apply(.wakeRequested) }

    public func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        if request.opensAnswer { try KeyLease.current?.checkDebt() }
        let lease = OutstandingLease(counter, isWork: request.isWork)
        let run = try await request.isWork ? readyToSend() : servingRun()
        do {
            var response = try await link.send(request)
            // A stream's head comes before its first word: only the end of a body shows that the kernels have held.
            let proves = request.isWork && response.status < 500
            response.body = response.body.holding(lease) { if proves { run?.noteAnswer() } }
            return response
        } catch UpstreamFailure.cancelled {
            throw CancellationError()
        } catch UpstreamFailure.refused {
            throw APIError(.unavailable, "The model `\(id)` is being restarted.", remedy: "Try again in a moment.", retryAfter: 1)
        } catch {
            logger.error("worker broke during a request", metadata: ["error": "\(error)"])
            throw Self.workerDied(id)
        }
    }

    public static func workerDied(_ id: String) -> APIError {
        APIError(
            .internalError, "The worker of model `\(id)` died while it served this request.", remedy: "It is being restarted; try again.")
    }

    public func sleep() async -> Bool {
        guard status.state != .asleep else { return false }
        apply(.sleepRequested)
        var hasEnded = false
        while !Task.isCancelled {
            let (seen, state) = shared.withLock { ($0.changes, $0.lifecycle.state) }
            switch state {
            case .draining: break
            case .stopping(then: .sleep): hasEnded = true
            // Asleep, or woken again by somebody meanwhile.
            default: return hasEnded || state == .asleep
            }
            await nextChange(since: seen)
        }
        return false
    }

    public func wake() async throws -> Bool {
        switch status.state {
        case .asleep, .failed: break
        case .loading, .ready, .restarting: return false
        }
        try await waitUntilReady(.wakeRequested)
        return true
    }

    public func shutdown() async {
        apply(.shutdownRequested)
        await shared.withLock { $0.process }?.task?.value
    }

    // MARK: - Waiting

    /// Returns when the model serves, with its process. A model that sleeps, or has rested from a failure, is woken and waited for,
    /// also by those who come while it wakes; one that loads for the first time or after a crash is 503.
    private func readyToSend() async throws -> WorkerRun? {
        while true {
            let (state, run, wakers) = shared.withLock { ($0.lifecycle.state, $0.process, $0.wakers) }
            switch state {
            case .ready: return run
            case .asleep, .draining, .stopping(then: .sleep), .failed(_, hasRested: true): try await waitUntilReady(.requestArrived)
            case .loading where wakers > 0, .stopping(then: .wake) where wakers > 0: try await waitUntilReady(nil)
            case .loading, .stopping, .backingOff, .failed, .shutDown: throw unavailable()
            }
        }
    }

    /// For the gateway's own questions, which wake nobody.
    private func servingRun() throws -> WorkerRun? {
        let (state, run) = shared.withLock { ($0.lifecycle.state, $0.process) }
        guard state == .ready else { throw unavailable() }
        return run
    }

    private func waitUntilReady(_ event: WorkerLifecycle.Event?) async throws {
        // Counted before the state changes: whoever finds the model loading must find that it wakes.
        shared.withLock { $0.wakers += 1 }
        defer { shared.withLock { $0.wakers -= 1 } }
        if let event { try await rise(event) }
        while true {
            let (seen, state) = shared.withLock { ($0.changes, $0.lifecycle.state) }
            switch state {
            case .ready: return
            case .failed, .shutDown, .stopping(then: .fail): throw unavailable()
            // Put to sleep again since.
            case .asleep, .draining, .stopping(then: .sleep): try await rise(.requestArrived)
            case .loading, .backingOff, .stopping(then: .wake): await nextChange(since: seen)
            }
            try Task.checkCancellation()
        }
    }

    private func unavailable() -> APIError {
        switch status.state {
        case .loading(let fraction):
            APIError(
                .unavailable, "The model `\(id)` is loading (\(Int(fraction * 100)) %).", remedy: "Try again in a moment.", retryAfter: 1)
        case .failed(let reason):
            APIError(
                .unavailable, "The model `\(id)` cannot be served: \(reason)",
                remedy:
                    "The server's log and `omni doctor` tell more. Another attempt is made a minute after this one failed, or at once by POST /v1/omni/wakeup.",
                retryAfter: Int(WorkerLifecycle.rest.components.seconds))
        default: APIError(.unavailable, "The model `\(id)` is being restarted.", remedy: "Try again in a moment.", retryAfter: 1)
        }
    }
}
