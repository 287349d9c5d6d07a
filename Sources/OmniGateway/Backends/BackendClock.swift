/// Time as a backend sees it: the system's, or a test's that is moved by hand.
struct BackendClock: Sendable {
    var now: @Sendable () -> ContinuousClock.Instant
    /// Throws when its task is cancelled.
    var sleep: @Sendable (Duration) async throws -> Void

    static let system = BackendClock(now: { .now }, sleep: { try await Task.sleep(for: $0) })
}
