import Foundation
import GRDB
import OmniAPI
import OmniWorkerAPI

/// Jobs in the database. A change reads the row, applies it and writes the row in one transaction; there is one writer.
public struct SQLiteJobStore: JobStore {
    private let database: Database
    private let keepFor: Double?
    private let now: @Sendable () -> Double

    /// - Parameter keepFor: seconds that a job which is over is kept; nil for ever.
    public init(_ database: Database, keepFor: Double? = nil, now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }) {
        self.database = database
        self.keepFor = keepFor
        self.now = now
    }

    public func create(_ job: NewJob, mostQueued: Int) async throws -> JobCreation {
        try await write { database in
            if let key = job.idempotencyKey, let earlier = try JobRow.filter(JobRow.Columns.idempotencyKey == key).fetchJob(database) {
                guard earlier.fingerprint == job.fingerprint else { throw JobLimits.keyReused }
                return .existing(earlier)
            }
            let waiting = try JobRow.queued.fetchCount(database)
            guard waiting < mostQueued else { throw JobLimits.queueFull(waiting) }
            var stored = job.stored(number: 0, now: now())
            try JobRow(stored, number: nil).insert(database)
            stored.number = Int(database.lastInsertedRowID)
            return .made(stored)
        }
    }

    public func job(_ id: String) async throws -> StoredJob? { try await read { try JobRow.named(id).fetchJob($0) } }

    public func page(after: String?, limit: Int?, newestFirst: Bool) async throws -> JobPage {
        try await read { database in
            let number = JobRow.Columns.number
            var listed = JobRow.filter(JobRow.Columns.isSync == false).order(newestFirst ? number.desc : number.asc)
            if let after {
                guard let last = try JobRow.named(after).fetchOne(database)?.number else { return JobPage() }
                listed = listed.filter(newestFirst ? number < last : number > last)
            }
            // One row more than asked tells whether there are more.
            if let limit { listed = listed.limit(limit + 1) }
            var jobs = try listed.fetchJobs(database)
            let hasMore = limit.map { jobs.count > $0 } ?? false
            if hasMore { jobs.removeLast() }
            return JobPage(jobs: jobs, hasMore: hasMore)
        }
    }

    public func claim(models: [String]) async throws -> StoredJob? {
        guard !models.isEmpty else { return nil }
        return try await write { database in
            try JobRow.queued.filter(models.contains(JobRow.Columns.model)).fetchJob(database).flatMap {
                try change($0, .claimed, database)
            }
        }
    }

    public func change(_ id: String, _ change: JobChange) async throws -> StoredJob? {
        try await write { database in
            try JobRow.named(id).fetchJob(database).flatMap { try self.change($0, change, database) }
        }
    }

    private func change(_ job: StoredJob, _ change: JobChange, _ database: GRDB.Database) throws -> StoredJob? {
        var job = job
        guard job.apply(change, now: now(), keepFor: keepFor) else { return nil }
        try JobRow(job, number: job.number).update(database)
        return job
    }

    public func remove(_ id: String) async throws -> StoredJob? {
        try await write { database in
            let job = try JobRow.named(id).fetchJob(database)
            try JobRow.named(id).deleteAll(database)
            return job
        }
    }

    public func queues() async throws -> [String: [String]] {
        try await read { database in
            let rows = try Row.fetchAll(database, JobRow.queued.select(JobRow.Columns.id, JobRow.Columns.model))
            return Dictionary(grouping: rows) { $0["model"] as String }.mapValues { $0.map { $0["id"] } }
        }
    }

    public func recover() async throws -> JobRecovery {
        try await write { database in
            try JobRow.filter(JobRow.Columns.isSync == true).deleteAll(database)
            var recovery = JobRecovery()
            for var job in try JobRow.inProgress.fetchJobs(database) {
                let before = job
                recovery.note(&job, now: now(), keepFor: keepFor)
                if job != before { try JobRow(job, number: job.number).update(database) }
            }
            recovery.ids = try String.fetchSet(database, JobRow.select(JobRow.Columns.id))
            let over = try JobRow.over.fetchCursor(database)
            while let row = try over.next() {
                recovery.keptFiles[row.id] = try row.result.map { try VideoTaskResult(json: try JSONValue.parse($0)).files } ?? []
            }
            return recovery
        }
    }

    public func expired() async throws -> [StoredJob] {
        let now = now()
        // Those whose files are gone come again when their row's time is over.
        return try await read {
            try JobRow.filter(JobRow.Columns.expiresAt <= now)
                .filter(sql: "expires_at <= ? OR result NOT LIKE '%\"expired\":true%'", arguments: [now - JobLimits.rowsOutlive]).fetchJobs(
                    $0)
        }
    }

    public func dueWebhooks(limit: Int) async throws -> (due: [StoredJob], next: Double?) {
        let now = now()
        return try await read { database in
            let webhookAt = JobRow.Columns.webhookAt
            let due = try JobRow.filter(webhookAt <= now).order(webhookAt).limit(limit).fetchJobs(database)
            return (due, try Double.fetchOne(database, JobRow.filter(webhookAt > now).select(min(webhookAt))))
        }
    }

    private func read<Value: Sendable>(_ body: @escaping @Sendable (GRDB.Database) throws -> Value) async throws -> Value {
        do { return try await database.pool.read(body) } catch { throw Database.translated(error) }
    }

    private func write<Value: Sendable>(_ body: @escaping @Sendable (GRDB.Database) throws -> Value) async throws -> Value {
        do { return try await database.pool.write(body) } catch { throw Database.translated(error) }
    }
}
