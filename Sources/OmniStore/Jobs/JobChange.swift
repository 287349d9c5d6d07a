import OmniAPI
import OmniWorkerAPI

/// What can happen to a job. Each change says which state and attempt it starts from; where the row stands otherwise, nothing
/// is changed: two runners, or a late message of an attempt that was given up, cannot overwrite each other.
public enum JobChange: Sendable {
    /// A runner takes it from the queue.
    case claimed
    case completed(attempt: Int, VideoTaskResult)
    case failed(attempt: Int, VideoJobError)
    /// Back into the queue, in its old place; given up where that has happened too often.
    case interrupted(attempt: Int, Interruption)
    /// A server elsewhere has taken it.
    case forwarded(attempt: Int, RemoteJob)
    /// An attempt to call the webhook; the next is due after `retryAfter` seconds, if any.
    case webhookCalled(retryAfter: Double?)
    case filesExpired
}

public enum Interruption: Sendable {
    /// The server ended in good order: the job was not at fault, and the attempt does not count.
    case serverStopped
    /// The server was found dead when it started again.
    case serverDied
    /// The server elsewhere was busy or could not be reached: the attempt does not count either.
    case notTaken
    /// The job's worker died or hung.
    case workerDied(String)
}

extension StoredJob {
    /// Attempts after which a job that never comes to its end is given up.
    static let mostAttempts = 25
    /// Deaths of its worker after which a job is given up: it is what kills them.
    static let mostDeaths = 3

    /// Applies a change. False when it does not fit the state, which is then as before.
    ///
    /// - Parameter keepFor: seconds that a job which is over is kept; nil for ever.
    public mutating func apply(_ change: JobChange, now: Double, keepFor: Double?) -> Bool {
        let wasOver = status.isOver
        guard move(by: change, now: now) else { return false }
        if status.isOver, !wasOver {
            completedAt = now
            expiresAt = keepFor.map { now + $0 }
            if request.webhookURL != nil { webhookAt = now }
        }
        return true
    }

    private mutating func move(by change: JobChange, now: Double) -> Bool {
        switch change {
        case .claimed:
            guard status == .queued else { return false }
            status = .inProgress
            startedAt = now
            attempts += 1
        case .completed(let attempt, let result):
            guard isRunning(attempt) else { return false }
            (status, self.result) = (.completed, result)
        case .failed(let attempt, let error):
            guard isRunning(attempt) else { return false }
            (status, self.error) = (.failed, error)
        case .interrupted(let attempt, let cause):
            guard isRunning(attempt) else { return false }
            interrupt(cause)
        case .forwarded(let attempt, let remote):
            guard isRunning(attempt) else { return false }
            self.remote = remote
        case .webhookCalled(let retryAfter):
            guard webhookAt != nil else { return false }
            webhookAttempts += 1
            webhookAt = retryAfter.map { now + $0 }
        case .filesExpired:
            guard status == .completed, result?.isExpired == false else { return false }
            result?.isExpired = true
        }
        return true
    }

    private func isRunning(_ attempt: Int) -> Bool { status == .inProgress && attempts == attempt }

    private mutating func interrupt(_ cause: Interruption) {
        var reason: String?
        switch cause {
        case .serverStopped, .notTaken: attempts -= 1
        case .serverDied:
            if attempts >= Self.mostAttempts { reason = "The server died \(attempts) times while it worked on this job." }
        case .workerDied(let how):
            deaths += 1
            // What a server elsewhere had begun is gone with it.
            remote = nil
            if deaths >= Self.mostDeaths { reason = "The model's worker died \(deaths) times under this job, last so: \(how)" }
        }
        guard let reason else {
            (status, startedAt) = (.queued, nil)
            return
        }
        (status, error) = (.failed, VideoJobError(code: 500, message: reason))
    }
}
