import GRDB
import OmniAPI
import OmniWorkerAPI

/// A job as a row of the table `jobs`; columns by the names of the fields.
struct JobRow: Codable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "jobs"
    static var databaseColumnDecodingStrategy: DatabaseColumnDecodingStrategy { .convertFromSnakeCase }
    static var databaseColumnEncodingStrategy: DatabaseColumnEncodingStrategy { .convertToSnakeCase }

    /// Given by the database.
    var number: Int?
    var id, model, modelName: String
    /// JSON.
    var request: String
    var seed: Int
    var hasPicture, isSync: Bool
    var createdAt: Double
    var idempotencyKey, fingerprint: String?
    var status: String
    var startedAt, completedAt, expiresAt: Double?
    var attempts, deaths: Int
    var errorCode: Int?
    var errorMessage: String?
    /// JSON.
    var result: String?
    var remotePlace, remoteId: String?
    var webhookAt: Double?
    var webhookAttempts: Int

    /// - Parameter number: nil for a job that is new.
    init(_ job: StoredJob, number: Int?) {
        self.number = number
        (id, model, modelName, request, seed) = (job.id, job.model, job.modelName, job.request.json.jsonText, job.seed)
        (hasPicture, isSync, createdAt) = (job.hasPicture, job.isSync, job.createdAt)
        (idempotencyKey, fingerprint) = (job.idempotencyKey, job.fingerprint)
        (status, startedAt, completedAt, expiresAt) = (job.status.rawValue, job.startedAt, job.completedAt, job.expiresAt)
        (attempts, deaths) = (job.attempts, job.deaths)
        (errorCode, errorMessage, result) = (job.error?.code, job.error?.message, job.result?.json.jsonText)
        (remotePlace, remoteId) = (job.remote?.place, job.remote?.id)
        (webhookAt, webhookAttempts) = (job.webhookAt, job.webhookAttempts)
    }

    /// Throws where the row holds what is no job.
    func job() throws -> StoredJob {
        guard let status = VideoStatus(rawValue: status) else {
            throw APIError(.internalError, "The database holds a job of unknown status.")
        }
        var job = StoredJob(
            number: number ?? 0, id: id, model: model, modelName: modelName,
            request: try VideoGenerationRequest(json: try JSONValue.parse(request)), seed: seed,
            createdAt: createdAt)
        job.status = status
        (job.hasPicture, job.isSync) = (hasPicture, isSync)
        (job.startedAt, job.completedAt, job.expiresAt) = (startedAt, completedAt, expiresAt)
        (job.attempts, job.deaths) = (attempts, deaths)
        if let errorCode { job.error = VideoJobError(code: errorCode, message: errorMessage ?? "") }
        job.result = try result.map { try VideoTaskResult(json: try JSONValue.parse($0)) }
        if let remotePlace, let remoteId { job.remote = RemoteJob(place: remotePlace, id: remoteId) }
        (job.idempotencyKey, job.fingerprint) = (idempotencyKey, fingerprint)
        (job.webhookAt, job.webhookAttempts) = (webhookAt, webhookAttempts)
        return job
    }
}

extension JobRow {
    enum Columns {
        static let number = Column("number")
        static let id = Column("id")
        static let model = Column("model")
        static let isSync = Column("is_sync")
        static let idempotencyKey = Column("idempotency_key")
        static let expiresAt = Column("expires_at")
        static let webhookAt = Column("webhook_at")
    }

    // As SQL: SQLite takes the indexes of these rows only where it sees the value.
    static var queued: QueryInterfaceRequest<JobRow> { filter(sql: "status = 'queued'").order(Columns.number) }
    static var inProgress: QueryInterfaceRequest<JobRow> { filter(sql: "status = 'in_progress'").order(Columns.number) }
    static var over: QueryInterfaceRequest<JobRow> { filter(sql: "status IN ('completed', 'failed')") }

    static func named(_ id: String) -> QueryInterfaceRequest<JobRow> { filter(Columns.id == id) }
}

extension QueryInterfaceRequest<JobRow> {
    func fetchJob(_ database: GRDB.Database) throws -> StoredJob? { try fetchOne(database)?.job() }
    func fetchJobs(_ database: GRDB.Database) throws -> [StoredJob] { try fetchAll(database).map { try $0.job() } }
}
