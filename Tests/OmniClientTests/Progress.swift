import OmniClient
import Synchronization

/// The states of a job, as a caller was told them.
final class Progress: Sendable {
    private let list = Mutex<[VideoStatus]>([])
    var statuses: [VideoStatus] { list.withLock { $0 } }
    func note(_ job: VideoJob) { list.withLock { $0.append(job.status) } }
}

/// How often something was asked.
final class Turns: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    /// Counted from 0; nil for what is the same each time.
    func next(_ key: String, isJob: Bool) -> Int? {
        guard isJob else { return nil }
        return counts.withLock { counts in
            defer { counts[key, default: 0] += 1 }
            return counts[key, default: 0]
        }
    }
}
