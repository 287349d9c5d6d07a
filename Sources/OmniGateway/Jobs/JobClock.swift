import Foundation

/// The time that jobs go by; tests have their own.
public struct JobClock: Sendable {
    /// Seconds since 1970.
    public var now: @Sendable () -> Double
    /// Waits for that many seconds. Throws when the task is cancelled.
    public var sleep: @Sendable (Double) async throws -> Void

    public init(now: @escaping @Sendable () -> Double, sleep: @escaping @Sendable (Double) async throws -> Void) {
        self.now = now
        self.sleep = sleep
    }

    public static let system = JobClock(now: { Date().timeIntervalSince1970 }, sleep: { try await Task.sleep(for: .seconds($0)) })
}
