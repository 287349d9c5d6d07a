import OmniAPI
import OmniEngine
import Synchronization

/// Texts to be pooled, for the one thread that computes them: requests in turn, so that each that is not done waits behind the others.
final class PoolingQueue: Sendable {
    private let queue: BoundedQueue<PoolingJob>
    private let busySince = Mutex<ContinuousClock.Instant?>(nil)
    private let maxQueue: Int
    /// Requests in turn, without the one that the thread has.
    private let begun = Mutex<[PoolingJob]>([])

    init(maxQueue: Int) {
        // The one that is computed does not wait.
        queue = BoundedQueue(limit: max(maxQueue, 1) + 1, countsTaken: true)
        self.maxQueue = maxQueue
    }

    var stalledFor: Duration? { busySince.withLock { $0.map { ContinuousClock.now - $0 } } }

    /// Throws 503 when the queue is full.
    func add(_ job: PoolingJob) throws {
        switch queue.offer(job) {
        case .accepted: return
        case .finished: throw Inbox.closing
        case .full:
            throw APIError(
                .unavailable, "The queue is full: \(max(maxQueue, 1)) requests wait.",
                remedy: "Try again later, or start the server with a larger --max-queue (now \(maxQueue)).", retryAfter: 1)
        }
    }

    /// The next job, which the thread has until it puts it back or releases it; blocks while there is none. Nil once closed.
    func take() -> PoolingJob? {
        let waits = begun.withLock(\.isEmpty)
        if waits { busySince.withLock { $0 = nil } }
        guard let newcomers = queue.take(waiting: waits) else {
            // Only here: what the thread puts back once the queue is closed must not be forgotten.
            for job in begun.withLock({ $0 }) { job.done(.failure(Inbox.closing)) }
            return nil
        }
        busySince.withLock { $0 = .now }
        return begun.withLock { jobs in
            jobs += newcomers
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }

    /// A job that is not done goes behind the others.
    func putBack(_ job: PoolingJob) { begun.withLock { $0.append(job) } }

    /// A job is done.
    func release() { queue.release(cost: 1) }

    func close() {
        queue.finish()
        for job in queue.drain() { job.done(.failure(Inbox.closing)) }
    }
}
