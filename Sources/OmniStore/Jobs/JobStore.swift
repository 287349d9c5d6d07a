import OmniAPI

/// Keeps video jobs. What it has answered for survives a crash; every change is whole or not there. Methods throw ``APIError``
/// 507 when the disk is full.
public protocol JobStore: Sendable {
    /// Makes a job. A key that an earlier job brought with the same fingerprint gives that job; with another one 409. 503 when
    /// `mostQueued` jobs wait already.
    func create(_ job: NewJob, mostQueued: Int) async throws -> JobCreation
    func job(_ id: String) async throws -> StoredJob?
    /// Listed jobs behind the job `after`; all of them without a `limit`. An unknown `after` gives an empty page.
    func page(after: String?, limit: Int?, newestFirst: Bool) async throws -> JobPage
    /// Takes the oldest waiting job of `models`; nil when there is none.
    func claim(models: [String]) async throws -> StoredJob?
    /// Applies a change; the job after it, or nil where it is gone or the change did not fit.
    func change(_ id: String, _ change: JobChange) async throws -> StoredJob?
    /// Removes the row; the job as it was.
    func remove(_ id: String) async throws -> StoredJob?
    /// Ids of waiting jobs, the next first, by model.
    func queues() async throws -> [String: [String]]
    /// To be called once at start: blocking requests' jobs are removed, interrupted ones go back into the queue or are given
    /// up, those that a server elsewhere works on are left running and returned. Also tells all ids there are.
    func recover() async throws -> JobRecovery
    /// Completed jobs whose time is over and whose files are there yet, and jobs of any end whose time was over a month ago.
    func expired() async throws -> [StoredJob]
    /// Jobs whose webhook is due, and the time of the next that will be.
    func dueWebhooks(limit: Int) async throws -> (due: [StoredJob], next: Double?)
}

extension JobStore {
    /// Whether a job is known not to be there.
    public func isGone(_ id: String) async -> Bool {
        do { return try await job(id) == nil } catch { return false }
    }
}

public enum JobCreation: Sendable, Equatable {
    case made(StoredJob)
    /// The job that the same request made before.
    case existing(StoredJob)

    public var job: StoredJob {
        switch self {
        case .made(let job), .existing(let job): job
        }
    }
}

public struct JobPage: Sendable, Equatable {
    public var jobs: [StoredJob] = []
    public var hasMore = false
}

public struct JobRecovery: Sendable, Equatable {
    /// Every job there is.
    public var ids: Set<String> = []
    /// The names of the files that a job which is over keeps: a crash may have left more.
    public var keptFiles: [String: Set<String>] = [:]
    public var requeued: [String] = []
    public var givenUp: [String] = []
    /// Running on a server elsewhere.
    public var remote: [StoredJob] = []
}

enum JobLimits {
    /// Seconds that a row outlives its time, so that a late poll learns what became of the job.
    static let rowsOutlive = 30.0 * 86400

    static func queueFull(_ count: Int) -> APIError {
        APIError(
            .unavailable, "\(count) video jobs are waiting already.",
            remedy: "Try again later, or start the server with a higher --max-job-queue.", retryAfter: 30)
    }

    static let keyReused = APIError(
        .conflict, "This Idempotency-Key came before with another request.", remedy: "Use a new key for a new request.")
}
