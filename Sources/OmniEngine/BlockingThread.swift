import Foundation

/// Blocking work on a thread of its own, never on the cooperative pool.
package enum BlockingThread {
    package static func run<Result: Sendable>(name: String, _ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
            thread.name = name
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    /// Whether this is a thread of a task: work that blocks must not run on it. For assertions, so that every test sees it.
    package static var isPool: Bool { withUnsafeCurrentTask { $0 != nil } }
}
