import Foundation
import OmniAPI

/// Embedding jobs, first come first served, for the one thread that computes them.
///
/// Unchecked: every field is guarded by `condition`.
final class JobQueue: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [EmbeddingJob] = []
    private var closed = false
    private var busySince: ContinuousClock.Instant?
    private let maxQueue: Int

    init(maxQueue: Int) { self.maxQueue = maxQueue }

    var stalledFor: Duration? {
        condition.lock()
        defer { condition.unlock() }
        return busySince.map { ContinuousClock.now - $0 }
    }

    /// Throws 503 when the queue is full.
    func add(_ job: EmbeddingJob) throws {
        condition.lock()
        defer { condition.unlock() }
        guard !closed else { throw Inbox.closing }
        guard jobs.count < max(maxQueue, 1) else {
            throw APIError(
                .unavailable, "The queue is full: \(jobs.count) requests wait.",
                remedy: "Try again later, or start the server with a larger --max-queue (now \(maxQueue)).", retryAfter: 1)
        }
        jobs.append(job)
        condition.signal()
    }

    /// Blocks for the next job; nil once closed.
    func take() -> EmbeddingJob? {
        condition.lock()
        defer { condition.unlock() }
        busySince = nil
        while jobs.isEmpty, !closed { condition.wait() }
        if closed { return nil }
        busySince = ContinuousClock.now
        return jobs.removeFirst()
    }

    func close() {
        condition.lock()
        closed = true
        let left = jobs
        jobs = []
        condition.signal()
        condition.unlock()
        for job in left { job.done(.failure(Inbox.closing)) }
    }
}
