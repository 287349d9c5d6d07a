import OmniAPI
import OmniEngine
import Synchronization

/// Hands requests to the engine's thread, and refuses them when too many sequences are in flight.
final class Inbox: Sendable {
    private let queue: BoundedQueue<GenerationRequest>
    /// Seconds a request takes, averaged.
    private let secondsPerRequest = Mutex(2.0)
    private let maxSequences: Int
    private let maxQueue: Int

    init(maxSequences: Int, maxQueue: Int) {
        queue = BoundedQueue(limit: maxSequences + maxQueue, countsTaken: true)
        self.maxSequences = maxSequences
        self.maxQueue = maxQueue
    }

    /// Throws 503 when the queue is full or the engine is going away. A request that is larger than the queue by itself is taken when
    /// nobody is there.
    func add(_ request: GenerationRequest) throws {
        switch queue.offer(request, cost: request.sequenceCount) {
        case .accepted: return
        case .finished: throw Self.closing
        case .full(let inFlight):
            let wait = Double(inFlight) / Double(maxSequences) * secondsPerRequest.withLock { $0 }
            throw APIError(
                .unavailable,
                "The queue is full: \(min(inFlight, maxSequences)) answers are being made, \(max(inFlight - maxSequences, 0)) wait and \(request.sequenceCount) were asked for.",
                remedy: "Try again later, or start the server with a larger --max-queue (now \(maxQueue)).",
                retryAfter: Int(min(max(wait.rounded(.up), 1), 60)))
        }
    }

    static var closing: APIError { APIError(.unavailable, "The model is being unloaded.", remedy: "Try again in a moment.", retryAfter: 1) }

    /// Sequences of a request are done.
    func finished(_ count: Int, seconds: Double?) {
        queue.release(cost: count)
        if let seconds { secondsPerRequest.withLock { $0 += (seconds - $0) * 0.1 } }
    }

    /// New requests; blocks while there are none if `idle`, until `deadline` at most. Nil once the inbox is closed.
    func take(idle: Bool, until deadline: ContinuousClock.Instant? = nil) -> [GenerationRequest]? {
        queue.take(waiting: idle, until: deadline)
    }

    /// Ends the loop; what was not taken yet is handed back by ``drain()``.
    func close() { queue.finish() }

    func drain() -> [GenerationRequest] { queue.drain() }
}
