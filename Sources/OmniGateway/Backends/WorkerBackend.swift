import Foundation
import Logging
import NIOCore
import OmniAPI
import Subprocess
import Synchronization
import SystemPackage

/// A worker process with one model, behind a Unix socket: started, watched, restarted and ended here.
///
/// The process lives as long as its standard input stays open, so that it ends with the gateway however that ends.
public final class WorkerBackend: Backend {
    public struct Launch: Sendable {
        public var executable: String
        public var arguments: [String]
        public var socket: String
        public var root: String

        public init(executable: String, arguments: [String], socket: String, root: String) {
            self.executable = executable
            self.arguments = arguments
            self.socket = socket
            self.root = root
        }
    }

    private struct Shared {
        var lifecycle = WorkerLifecycle()
        var maxModelLength: Int?
        var inputParts: [String] = []
        var voices: [String] = []
        var clonesVoices = false
        var sampleRate: Int?
        var video: VideoCapabilities?
        var readySince: ContinuousClock.Instant?
        var process: Task<Void, Never>?
        var stopProcess: AsyncStream<Void>.Continuation?
        /// Requests that wait for the model to wake.
        var wakers = 0
        /// Counts the events, so that none is missed between looking and waiting.
        var changes = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
    }

    public let id: String
    private let launch: Launch
    private let client: UpstreamClient
    private let logger: Logger
    private let idleUnload: Duration?
    private let drainLimit: Duration
    private let counter = OutstandingCounter()
    private let shared = Mutex(Shared())
    private let onChange: @Sendable () -> Void

    /// `idleUnload` puts the model to sleep after that long without requests; the next one wakes it. `drainLimit`: how long
    /// running requests may go on once the model is sent to sleep. `onChange` is called after each change of state.
    public init(
        id: String, launch: Launch, client: UpstreamClient, idleUnload: Duration? = nil, drainLimit: Duration, logger: Logger, onChange: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.launch = launch
        self.client = client
        self.idleUnload = idleUnload
        self.drainLimit = drainLimit
        self.onChange = onChange
        var logger = logger
        logger[metadataKey: "model"] = .string(id)
        self.logger = logger
    }

    public var outstanding: Int { counter.count }

    public var status: BackendStatus {
        shared.withLock { shared in
            let state: BackendStatus.State =
                switch shared.lifecycle.state {
                case .asleep, .draining, .stopping, .shutDown: .asleep
                case .loading(let fraction): .loading(fraction)
                case .ready: .ready
                case .backingOff: .restarting
                case .failed(let reason): .failed(reason: reason)
                }
            var status = BackendStatus(state: state, root: launch.root)
            status.maxModelLength = shared.maxModelLength
            status.inputParts = shared.inputParts
            status.voices = shared.voices
            status.clonesVoices = shared.clonesVoices
            status.sampleRate = shared.sampleRate
            status.video = shared.video
            return status
        }
    }

    /// Starts the process without waiting for it.
    public func start() { apply(.wakeRequested) }

    public func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        let lease = OutstandingLease(counter)
        try await readyToSend()
        do {
            var response = try await client.send(request, to: UpstreamClient.socketURL(launch.socket))
            response.body = response.body.holding(lease)
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
        APIError(.internalError, "The worker of model `\(id)` died while it served this request.", remedy: "It is being restarted; try again.")
    }

    /// Returns when the model serves. A model that sleeps is woken and waited for, also by those who come while it wakes; one
    /// that loads for the first time or after a crash is 503.
    private func readyToSend() async throws {
        while true {
            switch status.state {
            case .ready: return
            case .asleep: if try await wake() { return }
            case .loading where shared.withLock({ $0.wakers > 0 }): return try await waitUntilReady()
            default: throw unavailable()
            }
        }
    }

    private func waitUntilReady() async throws {
        shared.withLock { $0.wakers += 1 }
        defer { shared.withLock { $0.wakers -= 1 } }
        while true {
            let seen = shared.withLock { $0.changes }
            switch status.state {
            case .ready: return
            case .failed: throw unavailable()
            case .asleep:
                switch shared.withLock({ $0.lifecycle.state }) {
                case .shutDown: throw unavailable()
                case .stopping(thenWake: true): await nextChange(since: seen)
                default: apply(.wakeRequested)  // put to sleep again since
                }
            default: await nextChange(since: seen)
            }
            try Task.checkCancellation()
        }
    }

    private func unavailable() -> APIError {
        switch status.state {
        case .loading(let fraction):
            APIError(.unavailable, "The model `\(id)` is loading (\(Int(fraction * 100)) %).", remedy: "Try again in a moment.", retryAfter: 1)
        case .failed(let reason):
            APIError(.unavailable, "The model `\(id)` cannot be served: \(reason)", remedy: "The server's log and `omni doctor` tell more.", retryAfter: 60)
        default: APIError(.unavailable, "The model `\(id)` is being restarted.", remedy: "Try again in a moment.", retryAfter: 1)
        }
    }

    public func sleep() async -> Bool {
        guard status.state == .ready else { return false }
        apply(counter.count > 0 ? .drainRequested : .sleepRequested)
        var hasEnded = false
        while true {
            let (seen, state) = shared.withLock { ($0.changes, $0.lifecycle.state) }
            switch state {
            case .draining: break
            case .stopping: hasEnded = true
            default: return hasEnded || state != .ready
            }
            await nextChange(since: seen)
        }
    }

    /// Waits until nobody waits for an answer any more, or the limit is over.
    private func watchDrain() async {
        let deadline = ContinuousClock.now + drainLimit
        while counter.count > 0, ContinuousClock.now < deadline, shared.withLock({ $0.lifecycle.state == .draining }) {
            try? await Task.sleep(for: .milliseconds(20))
        }
        apply(.drained)
    }

    public func wake() async throws -> Bool {
        guard status.state == .asleep else { return false }
        // Counted before the state changes: whoever finds the model loading must find that it wakes.
        shared.withLock { $0.wakers += 1 }
        defer { shared.withLock { $0.wakers -= 1 } }
        apply(.wakeRequested)
        try await waitUntilReady()
        return true
    }

    public func shutdown() async {
        let (process, isPausing) = shared.withLock { ($0.process, $0.lifecycle.state == .backingOff) }
        apply(.shutdownRequested)
        if isPausing { process?.cancel() }
        await shared.withLock { $0.process }?.value
    }

    // MARK: - State

    private func apply(_ event: WorkerLifecycle.Event) {
        let action = shared.withLock { shared in
            let action = shared.lifecycle.handle(event)
            switch action {
            case .none: break
            case .spawn: shared.process = Task { await self.runProcess() }
            case .spawnAfter(let pause):
                shared.process = Task {
                    try? await Task.sleep(for: pause)
                    self.apply(.backOffOver)
                }
            case .watchDrain: Task { await self.watchDrain() }
            case .stopProcess: shared.stopProcess?.finish()
            }
            return action
        }
        if case .spawnAfter(let pause) = action { logger.warning("worker will be restarted", metadata: ["pause": "\(pause)"]) }
        onChange()
        let waiters = shared.withLock { shared in
            shared.changes += 1
            defer { shared.waiters = [:] }
            return shared.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once there was an event after the `seen`th, or when the task is cancelled.
    private func nextChange(since seen: Int) async {
        let ticket = shared.withLock { shared in
            shared.nextWaiter += 1
            return shared.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = shared.withLock { shared in
                    guard !Task.isCancelled, shared.changes == seen else { return true }
                    shared.waiters[ticket] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            shared.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }

    // MARK: - The process

    private func runProcess() async {
        let (stops, stop) = AsyncStream.makeStream(of: Void.self)
        shared.withLock { $0.stopProcess = stop }
        try? FileManager.default.removeItem(atPath: launch.socket)
        var options = PlatformOptions()
        options.processGroupID = 0  // a Ctrl-C in the terminal is the gateway's business
        shared.withLock { $0.readySince = nil }
        var outcome = "no process"
        do {
            let result = try await run(
                .path(FilePath(launch.executable)), arguments: Arguments(launch.arguments), platformOptions: options, input: .inputWriter,
                output: .sequence, error: .currentStandardError
            ) { execution in
                self.logger.info("worker started", metadata: ["pid": "\(execution.processIdentifier)"])
                let watch = Task { await self.watch() }
                let exit = Task {
                    // The worker never writes there: the end of its output is its own end, however that came.
                    do { for try await _ in execution.standardOutput {} } catch {}
                    stop.finish()
                }
                for await _ in stops {}
                watch.cancel()
                try? await execution.standardInputWriter.finish()
                let deadline = Task {
                    try await Task.sleep(for: .seconds(5))
                    try execution.send(signal: .kill)
                }
                await exit.value
                deadline.cancel()
            }
            outcome = "\(result.terminationStatus)"
        } catch {
            outcome = "\(error)"
        }
        try? FileManager.default.removeItem(atPath: launch.socket)
        let served = shared.withLock { $0.readySince }.map { ContinuousClock.now - $0 } ?? .zero
        logger.info("worker ended", metadata: ["status": .string(outcome)])
        apply(.exited(status: outcome, servedFor: served))
    }

    /// Longest time that a worker may leave its status unanswered, or an engine with work may go without finishing a step,
    /// before it counts as hung and is ended, to be started anew. Generous: a busy machine is no fault.
    private static let longestSilence = Duration.seconds(60)
    private static let longestStall = 300.0

    /// Follows the worker's own account of itself: often while it loads, now and then once it serves.
    private func watch() async {
        let address = UpstreamClient.socketURL(launch.socket)
        var isReady = false
        var lastAnswer = ContinuousClock.now
        var pause = Duration.milliseconds(5)
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            let request = UpstreamRequest(method: "GET", path: "/internal/status", headers: [])
            guard let reply = try? await client.send(request, to: address, headTimeout: .seconds(10)),
                let body = try? await reply.body.collect(upTo: 1 << 20), let report = try? JSONValue.parse(body.readableBytesView)
            else {
                if !Task.isCancelled, ContinuousClock.now - lastAnswer > Self.longestSilence { return endHung("it does not answer") }
                continue
            }
            lastAnswer = .now
            if let stall = report["stalled_seconds"]?.doubleValue, stall > Self.longestStall { return endHung("no step has ended for \(Int(stall)) s") }
            if !isReady { pause = .milliseconds(20) }
            switch report["state"]?.stringValue {
            case "loading": apply(.progress(report["progress"]?.doubleValue ?? 0))
            case "failed":
                let reason = report["reason"]?.stringValue ?? "The worker gave no reason."
                logger.error("model cannot be loaded", metadata: ["reason": .string(reason)])
                apply(.loadFailed(reason: reason))
                return
            case "ready" where !isReady:
                isReady = true
                shared.withLock { shared in
                    shared.readySince = .now
                    shared.maxModelLength = report["max_model_len"]?.intValue
                    shared.inputParts = report["input_parts"]?.arrayValue?.compactMap(\.stringValue) ?? []
                    shared.voices = report["voices"]?.arrayValue?.compactMap(\.stringValue) ?? []
                    shared.clonesVoices = report["clones_voices"]?.boolValue ?? false
                    shared.sampleRate = report["details"]?["sample_rate"]?.intValue
                    shared.video = report["video"].flatMap { try? VideoCapabilities(json: $0) }
                }
                logger.info("model ready")
                apply(.loaded)
                pause = .milliseconds(500)
            default: break
            }
            if isReady, let limit = idleUnload, let idle = counter.idleTime, idle >= limit {
                logger.info("model unloaded after idling", metadata: ["idle": "\(idle)"])
                apply(.sleepRequested)
                return
            }
        }
    }

    /// Ends a process that has stopped working; the life cycle takes that for a crash and starts another.
    private func endHung(_ reason: String) {
        logger.error("worker hangs and is ended", metadata: ["reason": .string(reason)])
        shared.withLock { $0.stopProcess }?.finish()
    }
}
