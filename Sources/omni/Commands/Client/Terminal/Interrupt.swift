import Dispatch
import Foundation
import Synchronization

/// Ctrl-C.
enum Interrupt {
    /// Runs `body`, cancelled by Ctrl-C: the request is closed and the server stops. A second Ctrl-C ends the program at once.
    ///
    /// Calls may stand within one another: the innermost takes the Ctrl-C.
    static func cancels<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task = Task { try await body() }
        let presses = Mutex(0)
        let handler: @Sendable () -> Void = {
            task.cancel()
            if presses.withLock({
                $0 += 1; return $0
            }) > 1 {
                Foundation.exit(130)
            }
        }
        return try await calls(handler) {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }

    /// Runs `body`; Ctrl-C calls `handler` and nothing else.
    static func calls<Value>(_ handler: @escaping @Sendable () -> Void, during body: () async throws -> Value) async rethrows -> Value {
        _ = source
        let depth = handlers.withLock { handlers in
            handlers.append(handler)
            return handlers.count
        }
        defer { handlers.withLock { $0.removeSubrange((depth - 1)...) } }
        return try await body()
    }

    private static let handlers = Mutex<[@Sendable () -> Void]>([])

    /// One for the process: on Linux a second source, or a later `signal`, would silence the first.
    // Made once and never touched again; a dispatch source may be used from any thread.
    nonisolated(unsafe) private static let source: any DispatchSourceSignal = {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { handlers.withLock { $0.last }?() }
        source.resume()
        return source
    }()
}
