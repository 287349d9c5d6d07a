import OmniAPI
import OmniWorkerAPI

/// A video job as it is kept.
public struct StoredJob: Sendable, Equatable {
    /// Counts up with each job made: the order in which they run and are listed.
    public var number: Int
    /// Made by the server; names nothing that a client sent.
    public var id: String
    /// The model in the catalogue.
    public var model: String
    /// The model's name as replies carry it.
    public var modelName: String
    /// All but files and inline data, which lie in the job's folder.
    public var request: VideoGenerationRequest
    public var seed: Int
    /// Whether the picture to start from lies in the job's folder.
    public var hasPicture = false
    /// A blocking request's: listed nowhere, and not kept over a restart.
    public var isSync = false
    public var status = VideoStatus.queued
    /// Seconds since 1970, like all times here.
    public var createdAt: Double
    public var startedAt: Double?
    public var completedAt: Double?
    /// When its time is over: the files of a result go, and the row a month later.
    public var expiresAt: Double?
    /// How often it was begun. The number of the running attempt guards every later change of the row.
    public var attempts = 0
    /// How often its worker died under it.
    public var deaths = 0
    public var error: VideoJobError?
    public var result: VideoTaskResult?
    /// The job of a server elsewhere that does the work.
    public var remote: RemoteJob?
    public var idempotencyKey: String?
    /// What the request that brought the key came to.
    public var fingerprint: String?
    /// When the next attempt to call `webhook_url` is due; nil when none is.
    public var webhookAt: Double?
    public var webhookAttempts = 0
}

/// A job on a server elsewhere.
public struct RemoteJob: Sendable, Hashable {
    /// The server's address.
    public var place: String
    public var id: String

    public init(place: String, id: String) {
        self.place = place
        self.id = id
    }
}

/// A job to be made.
public struct NewJob: Sendable {
    public var id: String
    public var model: String
    public var modelName: String
    public var request: VideoGenerationRequest
    public var seed: Int
    public var hasPicture = false
    public var isSync = false
    public var idempotencyKey: String?
    public var fingerprint: String?

    public init(id: String, model: String, modelName: String, request: VideoGenerationRequest, seed: Int) {
        self.id = id
        self.model = model
        self.modelName = modelName
        self.request = request
        self.seed = seed
    }

    func stored(number: Int, now: Double) -> StoredJob {
        var job = StoredJob(number: number, id: id, model: model, modelName: modelName, request: request, seed: seed, createdAt: now)
        (job.hasPicture, job.isSync) = (hasPicture, isSync)
        (job.idempotencyKey, job.fingerprint) = (idempotencyKey, fingerprint)
        return job
    }
}
