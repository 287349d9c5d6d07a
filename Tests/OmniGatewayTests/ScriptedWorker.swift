import AsyncHTTPClient
import Logging
import NIOCore
import OmniAPI
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniGateway

/// A worker that does what a test tells it: its processes and the way to them.
final class ScriptedWorker: WorkerLauncher, WorkerLink {
    /// One process, from the launcher's call to its end.
    final class Process: Sendable {
        let launch: WorkerLaunch
        private let state = Mutex((isStopping: false, end: WorkerEnd?.none, waiter: CheckedContinuation<WorkerEnd, Never>?.none))

        init(_ launch: WorkerLaunch) { self.launch = launch }

        var isStopping: Bool { state.withLock { $0.isStopping } }
        var hasEnded: Bool { state.withLock { $0.end != nil } }

        func end(_ cause: WorkerEnd.Cause) {
            let waiter = state.withLock { state in
                if state.end == nil { state.end = WorkerEnd(cause) }
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: WorkerEnd(cause))
        }

        fileprivate func noteStop() { state.withLock { $0.isStopping = true } }

        fileprivate func wait() async -> WorkerEnd {
            await withCheckedContinuation { continuation in
                let end = state.withLock { state in
                    if state.end == nil { state.waiter = continuation }
                    return state.end
                }
                if let end { continuation.resume(returning: end) }
            }
        }
    }

    struct Script {
        /// What a running process says of itself; nil: nothing.
        var account: WorkerAccount? = .status(WorkerStatus(state: .ready))
        /// Whether a process that is told to end does so by itself.
        var obeys = true
        /// Answers a request; the default is a short body.
        var answer: @Sendable (UpstreamRequest) throws(UpstreamFailure) -> UpstreamResponse = { (_) throws(UpstreamFailure) in
            ScriptedWorker.reply("fine")
        }
        var processes: [Process] = []
        /// Requests that reached a process that had been told to end.
        var late = 0
    }

    let script = Mutex(Script())

    var processes: [Process] { script.withLock { $0.processes } }
    var process: Process? { processes.last }
    var launches: [WorkerLaunch] { processes.map(\.launch) }
    func set(_ change: (inout Script) -> Void) { script.withLock { change(&$0) } }

    func run(_ launch: WorkerLaunch, stop: StopSignal) async -> WorkerEnd {
        let process = Process(launch)
        set { $0.processes.append(process) }
        let stopping = Task {
            await stop.wait()
            process.noteStop()
            if script.withLock({ $0.obeys }) { process.end(.exit(0)) }
        }
        let end = await process.wait()
        stop.request()
        await stopping.value
        return end
    }

    func status() async -> WorkerAccount? {
        script.withLock { script in script.processes.last.flatMap { $0.hasEnded ? nil : script.account } }
    }

    func send(_ request: UpstreamRequest) async throws(UpstreamFailure) -> UpstreamResponse {
        let (answer, process) = script.withLock { script in
            if script.processes.last?.isStopping == true { script.late += 1 }
            return (script.answer, script.processes.last)
        }
        guard let process, !process.hasEnded else { throw .refused }
        return try answer(request)
    }

    static func reply(_ text: String, status: Int = 200) -> UpstreamResponse {
        UpstreamResponse(status: status, headers: [], body: UpstreamBody(.bytes(ByteBuffer(string: text))))
    }

    /// A reply whose body comes as the test writes it.
    static func stream() -> (UpstreamResponse, AsyncStream<ByteBuffer>.Continuation) {
        let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        return (UpstreamResponse(status: 200, headers: [], body: UpstreamBody(.stream(stream))), continuation)
    }
}

/// A backend on a script, and its clock.
struct BackendUnderTest {
    let worker = ScriptedWorker()
    let time = ManualClock()
    let log = EventLog()
    let backend: WorkerBackend
    static let request = UpstreamRequest(method: "POST", path: "/v1/chat/completions", headers: [])

    init(idleUnload: Duration? = nil, drainLimit: Duration = .seconds(30), onChange: @escaping @Sendable () -> Void = {}) {
        let launch = WorkerLaunch(
            executable: "/nowhere", arguments: ["worker"], socket: "/nowhere.sock", root: "/model", ownImage: "/proc/1/exe")
        var logger = Logger(label: "test", factory: { [log] _ in log })
        logger.logLevel = .trace
        backend = WorkerBackend(
            id: "ann", launch: launch, launcher: worker, link: worker, clock: time.clock, idleUnload: idleUnload, drainLimit: drainLimit,
            logger: logger, onChange: onChange)
    }

    var state: BackendStatus.State { backend.status.state }

    /// A backend whose model serves.
    static func ready(idleUnload: Duration? = nil, drainLimit: Duration = .seconds(30)) async -> BackendUnderTest {
        let scripted = BackendUnderTest(idleUnload: idleUnload, drainLimit: drainLimit)
        scripted.backend.start()
        await scripted.becomes(.ready)
        return scripted
    }

    func becomes(_ wanted: BackendStatus.State, within limit: Duration = .seconds(5), _ location: SourceLocation = #_sourceLocation) async {
        await time.run(limit, until: { backend.status.state == wanted }, location)
    }

    /// Asks and reads the whole answer.
    func ask() async throws -> String {
        let reply = try await backend.send(Self.request)
        return String(buffer: try await reply.body.collect(upTo: 1 << 10))
    }
}

/// What a backend logs: its events with the states in which they came, and what it says of impossible ones.
final class EventLog: LogHandler {
    private let entries = Mutex<[(message: String, metadata: Logger.Metadata)]>([])

    // A handler's own settings are not used: all is kept.
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) { entries.withLock { $0.append(("\(event.message)", event.metadata ?? [:])) } }

    var impossible: [String] {
        entries.withLock { $0.filter { $0.message == "impossible event of a worker" }.map { "\($0.metadata["event"] ?? "")" } }
    }
    /// `state: event`, each once.
    var seen: Set<String> {
        entries.withLock {
            Set($0.filter { $0.message == "worker event" }.map { "\($0.metadata["state"] ?? ""): \($0.metadata["event"] ?? "")" })
        }
    }
    func says(_ text: String) -> Bool { entries.withLock { $0.contains { $0.message.contains(text) } } }
}
