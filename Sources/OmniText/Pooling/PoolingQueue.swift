import OmniAPI
import OmniEngine
import Synchronization

/// Texts to be pooled, first come first served, for the one thread that computes them.
final class PoolingQueue: Sendable {
    private let queue: BoundedQueue<PoolingJob>
    private let busySince = Mutex<ContinuousClock.Instant?>(nil)
    private let maxQueue: Int

    init(maxQueue: Int) {
        queue = BoundedQueue(limit: max(maxQueue, 1))
        self.maxQueue = maxQueue
    }

    var stalledFor: Duration? { busySince.withLock { $0.map { ContinuousClock.now - $0 } } }

    /// Throws 503 when the queue is full.
    func add(_ job: PoolingJob) throws {
        switch queue.offer(job) {
        case .accepted: return
        case .finished: throw Inbox.closing
        case .full(let waiting):
            throw APIError(
                .unavailable, "The queue is full: \(waiting) requests wait.",
                remedy: "Try again later, or start the server with a larger --max-queue (now \(maxQueue)).", retryAfter: 1)
        }
    }

    /// Blocks for the next job; nil once closed.
    func take() -> PoolingJob? {
        busySince.withLock { $0 = nil }
        guard let job = queue.take(most: 1)?.first else { return nil }
        busySince.withLock { $0 = .now }
        return job
    }

    func close() {
        queue.finish()
        for job in queue.drain() { job.done(.failure(Inbox.closing)) }
    }
}
