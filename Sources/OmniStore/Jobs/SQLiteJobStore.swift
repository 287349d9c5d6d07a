import Foundation
import GRDB
import OmniAPI

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
            if let key = job.idempotencyKey, let earlier = try StoredJob.one(database, "idempotency_key = ?", [key]) {
                guard earlier.fingerprint == job.fingerprint else { throw JobLimits.keyReused }
                return .existing(earlier)
            }
            let waiting = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM jobs WHERE status = 'queued'") ?? 0
            guard waiting < mostQueued else { throw JobLimits.queueFull(waiting) }
            var stored = job.stored(number: 0, now: now())
            try stored.insert(database)
            stored.number = Int(database.lastInsertedRowID)
            return .made(stored)
        }
    }

    public func job(_ id: String) async throws -> StoredJob? { try await read { try StoredJob.one($0, "id = ?", [id]) } }

    public func page(after: String?, limit: Int?, newestFirst: Bool) async throws -> JobPage {
        try await read { database in
            var condition = "is_sync = 0"
            var arguments: StatementArguments = []
            if let after {
                guard let number = try Int.fetchOne(database, sql: "SELECT number FROM jobs WHERE id = ?", arguments: [after]) else { return JobPage() }
                condition += newestFirst ? " AND number < ?" : " AND number > ?"
                arguments += [number]
            }
            // One row more than asked tells whether there are more.
            let tail = " ORDER BY number \(newestFirst ? "DESC" : "ASC")" + (limit.map { " LIMIT \($0 + 1)" } ?? "")
            var jobs = try StoredJob.all(database, condition + tail, arguments)
            let hasMore = limit.map { jobs.count > $0 } ?? false
            if hasMore { jobs.removeLast() }
            return JobPage(jobs: jobs, hasMore: hasMore)
        }
    }

    public func claim(models: [String]) async throws -> StoredJob? {
        guard !models.isEmpty else { return nil }
        return try await write { database in
            let marks = models.map { _ in "?" }.joined(separator: ", ")
            let next = try StoredJob.one(database, "status = 'queued' AND model IN (\(marks)) ORDER BY number LIMIT 1", StatementArguments(models))
            return try next.flatMap { try change($0, .claimed, database) }
        }
    }

    public func change(_ id: String, _ change: JobChange) async throws -> StoredJob? {
        try await write { database in
            try StoredJob.one(database, "id = ?", [id]).flatMap { try self.change($0, change, database) }
        }
    }

    private func change(_ job: StoredJob, _ change: JobChange, _ database: GRDB.Database) throws -> StoredJob? {
        var job = job
        guard job.apply(change, now: now(), keepFor: keepFor) else { return nil }
        try job.update(database)
        return job
    }

    public func remove(_ id: String) async throws -> StoredJob? {
        try await write { database in
            let job = try StoredJob.one(database, "id = ?", [id])
            try database.execute(sql: "DELETE FROM jobs WHERE id = ?", arguments: [id])
            return job
        }
    }

    public func queues() async throws -> [String: [String]] {
        try await read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT id, model FROM jobs WHERE status = 'queued' ORDER BY number")
            return Dictionary(grouping: rows) { $0["model"] as String }.mapValues { $0.map { $0["id"] } }
        }
    }

    public func recover() async throws -> JobRecovery {
        try await write { database in
            try database.execute(sql: "DELETE FROM jobs WHERE is_sync")
            var recovery = JobRecovery()
            for var job in try StoredJob.all(database, "status = 'in_progress' ORDER BY number") {
                let before = job
                recovery.note(&job, now: now(), keepFor: keepFor)
                if job != before { try job.update(database) }
            }
            recovery.ids = try String.fetchSet(database, sql: "SELECT id FROM jobs")
            for row in try Row.fetchAll(database, sql: "SELECT id, result FROM jobs WHERE status IN ('completed', 'failed')") {
                recovery.keptFiles[row["id"]] = try (row["result"] as String?).map { try JobResult(json: try JSONValue.parse($0)).files } ?? []
            }
            return recovery
        }
    }

    public func expired() async throws -> [StoredJob] {
        let now = now()
        // Those whose files are gone come again when their row's time is over.
        return try await read { try StoredJob.all($0, "expires_at <= ? AND (expires_at <= ? OR result NOT LIKE '%\"expired\":true%')", [now, now - JobLimits.rowsOutlive]) }
    }

    public func dueWebhooks(limit: Int) async throws -> (due: [StoredJob], next: Double?) {
        let now = now()
        return try await read { database in
            let due = try StoredJob.all(database, "webhook_at <= ? ORDER BY webhook_at LIMIT \(limit)", [now])
            return (due, try Double.fetchOne(database, sql: "SELECT MIN(webhook_at) FROM jobs WHERE webhook_at > ?", arguments: [now]))
        }
    }

    private func read<Value: Sendable>(_ body: @escaping @Sendable (GRDB.Database) throws -> Value) async throws -> Value {
        do { return try await database.pool.read(body) } catch { throw Database.translated(error) }
    }

    private func write<Value: Sendable>(_ body: @escaping @Sendable (GRDB.Database) throws -> Value) async throws -> Value {
        do { return try await database.pool.write(body) } catch { throw Database.translated(error) }
    }
}
