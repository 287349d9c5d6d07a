import Foundation
import OmniAPI
import OmniWorkerAPI

/// A job store without a disk, for tests. Its clock is the caller's.
public actor MemoryJobStore: JobStore {
    private var jobs: [StoredJob] = []
    private var made = 0
    private let keepFor: Double?
    private let now: @Sendable () -> Double

    /// - Parameter keepFor: seconds that a job which is over is kept; nil for ever.
    public init(keepFor: Double? = nil, now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }) {
        self.keepFor = keepFor
        self.now = now
    }

    public func create(_ job: NewJob, mostQueued: Int) throws -> JobCreation {
        if let key = job.idempotencyKey, let earlier = jobs.first(where: { $0.idempotencyKey == key }) {
            guard earlier.fingerprint == job.fingerprint else { throw JobLimits.keyReused }
            return .existing(earlier)
        }
        let waiting = jobs.count { $0.status == .queued }
        guard waiting < mostQueued else { throw JobLimits.queueFull(waiting) }
        made += 1
        let stored = job.stored(number: made, now: now())
        jobs.append(stored)
        return .made(stored)
    }

    public func job(_ id: String) -> StoredJob? { jobs.first { $0.id == id } }

    public func page(after: String?, limit: Int?, newestFirst: Bool) -> JobPage {
        var listed = jobs.filter { !$0.isSync }
        if newestFirst { listed.reverse() }
        if let after {
            guard let place = listed.firstIndex(where: { $0.id == after }) else { return JobPage() }
            listed.removeFirst(place + 1)
        }
        let count = min(limit ?? listed.count, listed.count)
        return JobPage(jobs: Array(listed.prefix(count)), hasMore: listed.count > count)
    }

    public func claim(models: [String]) -> StoredJob? {
        guard let place = jobs.firstIndex(where: { $0.status == .queued && models.contains($0.model) }) else { return nil }
        return jobs[place].apply(.claimed, now: now(), keepFor: keepFor) ? jobs[place] : nil
    }

    public func change(_ id: String, _ change: JobChange) -> StoredJob? {
        guard let place = jobs.firstIndex(where: { $0.id == id }), jobs[place].apply(change, now: now(), keepFor: keepFor) else {
            return nil
        }
        return jobs[place]
    }

    public func remove(_ id: String) -> StoredJob? { jobs.firstIndex { $0.id == id }.map { jobs.remove(at: $0) } }

    public func queues() -> [String: [String]] {
        Dictionary(grouping: jobs.filter { $0.status == .queued }, by: \.model).mapValues { $0.map(\.id) }
    }

    public func recover() -> JobRecovery {
        jobs.removeAll(where: \.isSync)
        var recovery = JobRecovery()
        for place in jobs.indices where jobs[place].status == .inProgress { recovery.note(&jobs[place], now: now(), keepFor: keepFor) }
        recovery.ids = Set(jobs.map(\.id))
        for job in jobs where job.status.isOver { recovery.keptFiles[job.id] = job.result?.files ?? [] }
        return recovery
    }

    public func expired() -> [StoredJob] {
        jobs.filter { job in
            guard let end = job.expiresAt, end <= now() else { return false }
            return end <= now() - JobLimits.rowsOutlive || job.result?.isExpired == false
        }
    }

    public func dueWebhooks(limit: Int) -> (due: [StoredJob], next: Double?) {
        let due = jobs.filter { ($0.webhookAt ?? .infinity) <= now() }
        return (Array(due.prefix(limit)), jobs.compactMap(\.webhookAt).filter { $0 > now() }.min())
    }
}

extension JobRecovery {
    /// A job that was found running when the server started.
    mutating func note(_ job: inout StoredJob, now: Double, keepFor: Double?) {
        guard job.remote == nil else { return remote.append(job) }
        guard job.apply(.interrupted(attempt: job.attempts, .serverDied), now: now, keepFor: keepFor) else { return }
        if job.status == .queued { requeued.append(job.id) } else { givenUp.append(job.id) }
    }
}
