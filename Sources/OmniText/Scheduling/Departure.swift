import Synchronization

/// When the client of a request left, for the time that its work went on.
final class Departure: Sendable {
    private let instant = Mutex<ContinuousClock.Instant?>(nil)

    /// Nil while the client is there.
    var time: ContinuousClock.Instant? { instant.withLock { $0 } }

    func note(_ time: ContinuousClock.Instant = .now) { instant.withLock { $0 = $0 ?? time } }
}
