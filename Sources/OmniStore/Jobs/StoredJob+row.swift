import GRDB
import OmniAPI

/// A job as a row of the table `jobs`.
extension StoredJob {
    static func one(_ database: GRDB.Database, _ condition: String, _ arguments: StatementArguments = []) throws -> StoredJob? {
        try Row.fetchOne(database, sql: "SELECT * FROM jobs WHERE \(condition)", arguments: arguments).map(StoredJob.init)
    }

    static func all(_ database: GRDB.Database, _ condition: String, _ arguments: StatementArguments = []) throws -> [StoredJob] {
        try Row.fetchAll(database, sql: "SELECT * FROM jobs WHERE \(condition)", arguments: arguments).map(StoredJob.init)
    }

    func insert(_ database: GRDB.Database) throws {
        let names = Self.fixedColumns + Self.changingColumns
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        try database.execute(sql: "INSERT INTO jobs (\(names.joined(separator: ", "))) VALUES (\(marks))", arguments: fixedValues + changingValues)
    }

    /// Writes what changes in a job's life.
    func update(_ database: GRDB.Database) throws {
        let settings = Self.changingColumns.map { "\($0) = ?" }.joined(separator: ", ")
        try database.execute(sql: "UPDATE jobs SET \(settings) WHERE id = ?", arguments: changingValues + [id])
    }

    private static let fixedColumns = [
        "id", "model", "model_name", "request", "seed", "has_picture", "is_sync", "created_at", "idempotency_key", "fingerprint",
    ]

    private var fixedValues: StatementArguments {
        [id, model, modelName, request.json.jsonText, seed, hasPicture, isSync, createdAt, idempotencyKey, fingerprint]
    }

    private static let changingColumns = [
        "status", "started_at", "completed_at", "expires_at", "attempts", "deaths", "error_code", "error_message", "result", "remote_place", "remote_id",
        "webhook_at", "webhook_attempts",
    ]

    private var changingValues: StatementArguments {
        [
            status.rawValue, startedAt, completedAt, expiresAt, attempts, deaths, error?.code, error?.message, result?.json.jsonText, remote?.place, remote?.id,
            webhookAt, webhookAttempts,
        ]
    }

    private init(row: Row) throws {
        self.init(
            number: row["number"], id: row["id"], model: row["model"], modelName: row["model_name"],
            request: try VideoGenerationRequest(json: try JSONValue.parse(row["request"] as String)), seed: row["seed"], createdAt: row["created_at"])
        guard let status = VideoStatus(rawValue: row["status"]) else { throw APIError(.internalError, "The database holds a job of unknown status.") }
        self.status = status
        (hasPicture, isSync) = (row["has_picture"], row["is_sync"])
        (startedAt, completedAt, expiresAt) = (row["started_at"], row["completed_at"], row["expires_at"])
        (attempts, deaths) = (row["attempts"], row["deaths"])
        if let code = row["error_code"] as Int? { error = VideoJobError(code: code, message: row["error_message"] ?? "") }
        result = try (row["result"] as String?).map { try JobResult(json: try JSONValue.parse($0)) }
        if let place = row["remote_place"] as String?, let id = row["remote_id"] as String? { remote = RemoteJob(place: place, id: id) }
        (idempotencyKey, fingerprint) = (row["idempotency_key"], row["fingerprint"])
        (webhookAt, webhookAttempts) = (row["webhook_at"], row["webhook_attempts"])
    }
}
