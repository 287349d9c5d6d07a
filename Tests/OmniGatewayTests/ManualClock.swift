import Synchronization
import Testing

@testable import OmniGateway

/// Time that stands still until a test moves it.
final class ManualClock: Sendable {
    private struct Sleeper {
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now = ContinuousClock.now
        var sleepers: [Int: Sleeper] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    var clock: BackendClock { BackendClock(now: { self.now }, sleep: { try await self.sleep($0) }) }
    var now: ContinuousClock.Instant { state.withLock { $0.now } }

    private func sleep(_ duration: Duration) async throws {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.sleepers[ticket] = Sleeper(deadline: state.now + duration, continuation: continuation)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: ticket) }?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Moves time to the next sleeper's deadline, unless that is after `end`. False when nobody sleeps that long.
    private func step(to end: ContinuousClock.Instant) -> Bool {
        let due = state.withLock { state -> [Sleeper] in
            guard let first = state.sleepers.values.map(\.deadline).min(), first <= end else { return [] }
            state.now = max(state.now, first)
            let due = state.sleepers.filter { $0.value.deadline <= first }
            for key in due.keys { state.sleepers.removeValue(forKey: key) }
            return Array(due.values)
        }
        for sleeper in due { sleeper.continuation.resume() }
        return !due.isEmpty
    }

    /// Lets time pass, one sleeper after the other, until `condition` holds: `limit` of its own time at most, five minutes of ours.
    func run(_ limit: Duration = .seconds(5), until condition: @Sendable () -> Bool, _ location: SourceLocation = #_sourceLocation) async {
        let end = now + limit
        let deadline = ContinuousClock.now + .seconds(300)
        while !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record("not within five minutes", sourceLocation: location)
                return
            }
            if step(to: end) { await others() } else { try? await Task.sleep(for: .milliseconds(1)) }
        }
    }

    /// Moves time by that much, with everything that is due on the way.
    func advance(by duration: Duration) async {
        let end = now + duration
        var quiet = 0
        while quiet < 20 {
            if step(to: end) {
                quiet = 0
                await others()
            } else {
                quiet += 1
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        state.withLock { $0.now = max($0.now, end) }
    }

    private func others() async { for _ in 0..<20 { await Task.yield() } }
}
