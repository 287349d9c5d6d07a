import Foundation
import Logging
import Subprocess
import SystemPackage

/// How a worker's process is started.
public struct WorkerLaunch: Sendable, Equatable {
    public var executable: String
    public var arguments: [String]
    /// What it finds in its environment beside what the gateway has there.
    public var environment: [String: String]
    public var socket: String
    public var root: String
    /// The program that this process runs, also where another file has its name by now.
    public var ownImage: String

    public init(
        executable: String, arguments: [String], socket: String, root: String, environment: [String: String] = [:], ownImage: String? = nil
    ) {
        self.executable = executable
        self.ownImage = ownImage ?? executable
        self.arguments = arguments
        self.environment = environment
        self.socket = socket
        self.root = root
    }

    /// The same on plain kernels: libllama repacks no weights, and our own kernels are those that every supported CPU has.
    var inSafeMode: WorkerLaunch {
        var launch = self
        launch.environment["OMNI_CPU"] = "baseline"
        return launch
    }

    /// The same from this process's own program.
    var fromOwnImage: WorkerLaunch {
        var launch = self
        launch.executable = ownImage
        return launch
    }
}

/// Starts worker processes: the system, or a script of a test's.
protocol WorkerLauncher: Sendable {
    /// Runs one and returns when it has ended. It is ended when `stop` asks for it, also if that was before the start.
    func run(_ launch: WorkerLaunch, stop: StopSignal) async -> WorkerEnd
}

/// Asked once, by anyone, at any time; waited for by one.
final class StopSignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func request() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}

/// Real processes. One lives as long as its standard input stays open, so that it ends with the gateway however that ends.
struct ProcessLauncher: WorkerLauncher {
    let logger: Logger
    /// How long a process may take to end by itself once it is told to.
    static let grace = Duration.seconds(5)

    func run(_ launch: WorkerLaunch, stop: StopSignal) async -> WorkerEnd {
        try? FileManager.default.removeItem(atPath: launch.socket)
        defer { try? FileManager.default.removeItem(atPath: launch.socket) }
        var options = PlatformOptions()
        options.processGroupID = 0  // a Ctrl-C in the terminal is the gateway's business
        let added = launch.environment.compactMap { name, value in Environment.Key(rawValue: name).map { ($0, Optional(value)) } }
        do {
            let result = try await Subprocess.run(
                .path(FilePath(launch.executable)), arguments: Arguments(launch.arguments),
                environment: .inherit.updating(Dictionary(uniqueKeysWithValues: added)),
                platformOptions: options, input: .inputWriter, output: .sequence, error: .currentStandardError
            ) { execution in
                logger.info("worker started", metadata: ["pid": "\(execution.processIdentifier)"])
                let exit = Task {
                    // The worker never writes there: the end of its output is its own end, however that came.
                    do { for try await _ in execution.standardOutput {} } catch {}
                    stop.request()
                }
                await stop.wait()
                try? await execution.standardInputWriter.finish()
                let deadline = Task {
                    try await Task.sleep(for: Self.grace)
                    try execution.send(signal: .kill)
                }
                await exit.value
                deadline.cancel()
            }
            switch result.terminationStatus {
            case .exited(let code): return WorkerEnd(.exit(code))
            case .signaled(let number): return WorkerEnd(.signal(number))
            }
        } catch {
            return WorkerEnd(.notStarted("\(error)"))
        }
    }
}
