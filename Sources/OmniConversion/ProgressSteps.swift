import Synchronization

/// Every tenth of the way, once.
public final class ProgressSteps: Sendable {
    private let last = Mutex(0)

    public init() {}

    /// Percent, where `done` (0 to 1) has passed another tenth.
    public func next(_ done: Double) -> Int? {
        let step = Int(done * 10)
        return last.withLock { last in
            guard step > last else { return nil }
            last = step
            return step * 10
        }
    }
}
