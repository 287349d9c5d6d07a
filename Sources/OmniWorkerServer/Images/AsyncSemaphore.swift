import OmniAPI
import Synchronization

/// Lets one request through at a time, first come first served. Who leaves the queue gives the place up at once.
final class AsyncSemaphore: Sendable {
    private enum Answer { case enter, leave, full(waiting: Int) }

    private struct State {
        var isBusy = false
        var waiting: [(ticket: Int, continuation: CheckedContinuation<Answer, Never>)] = []
        var nextTicket = 0
        /// Mean seconds of a turn, recent ones weighing more.
        var mean = 0.0
    }

    private let state = Mutex(State())

    /// Those that wait. This and ``isBusy`` are what tests wait for.
    var waiting: Int { state.withLock { $0.waiting.count } }
    var isBusy: Bool { state.withLock { $0.isBusy } }

    /// Returns when it is the caller's turn, which lasts as long as the result is held.
    ///
    /// - Throws: 503 with `Retry-After` when `limit` requests wait already; `CancellationError` when the task was cancelled.
    func enter(limit: Int) async throws -> Permit {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let answer: Answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Answer? = state.withLock { state in
                    if Task.isCancelled { return .leave }
                    if !state.isBusy {
                        state.isBusy = true
                        return .enter
                    }
                    if state.waiting.count >= limit { return .full(waiting: state.waiting.count) }
                    state.waiting.append((ticket, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let left = state.withLock { state in
                state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0).continuation }
            }
            left?.resume(returning: .leave)
        }
        switch answer {
        case .enter: return Permit(self)
        case .leave: throw CancellationError()
        case .full(let waiting):
            throw APIError(
                .unavailable, "\(waiting) requests for pictures are waiting already.",
                remedy: "Try again later, or start the server with a higher --max-queue.",
                retryAfter: retryAfter)
        }
    }

    /// Seconds until the queue as it is should be done.
    private var retryAfter: Int {
        state.withLock { state in min(600, max(1, Int((state.mean * Double(state.waiting.count + 1)).rounded(.up)))) }
    }

    fileprivate func next(after seconds: Double) {
        let first = state.withLock { state in
            state.mean = state.mean == 0 ? seconds : 0.7 * state.mean + 0.3 * seconds
            guard !state.waiting.isEmpty else {
                state.isBusy = false
                return nil as CheckedContinuation<Answer, Never>?
            }
            return state.waiting.removeFirst().continuation
        }
        first?.resume(returning: .enter)
    }
}

/// The right to be the one request that runs; given back when it is let go.
final class Permit: Sendable {
    private let semaphore: AsyncSemaphore
    private let start = ContinuousClock.now

    fileprivate init(_ semaphore: AsyncSemaphore) { self.semaphore = semaphore }

    deinit { semaphore.next(after: (ContinuousClock.now - start) / .seconds(1)) }
}
