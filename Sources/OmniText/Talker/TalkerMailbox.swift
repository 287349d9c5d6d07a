import Foundation

/// What wakes the talker's thread: new requests, rows that a thinker has made, and the end.
///
/// Unchecked: every variable is touched under `condition` only.
final class TalkerMailbox: @unchecked Sendable {
    enum Wait {
        /// For a request: there is nothing else to do.
        case request
        /// For whatever comes next, a while at most: a request may be given up without a word.
        case anything
        case nothing
    }

    private let condition = NSCondition()
    private var requests: [TalkerRequest] = []
    private var isWoken = false
    private var isClosed = false

    /// Seconds.
    private static let longestWait = 0.05

    /// False once it is closed.
    func add(_ request: TalkerRequest) -> Bool {
        condition.withLock {
            guard !isClosed else { return false }
            requests.append(request)
            condition.signal()
            return true
        }
    }

    func wake() {
        condition.withLock {
            isWoken = true
            condition.signal()
        }
    }

    func close() {
        condition.withLock {
            isClosed = true
            condition.signal()
        }
    }

    /// New requests; nil once it is closed.
    func take(_ wait: Wait) -> [TalkerRequest]? {
        condition.withLock {
            switch wait {
            case .request: while requests.isEmpty, !isClosed { condition.wait() }
            case .anything:
                if requests.isEmpty, !isClosed, !isWoken { _ = condition.wait(until: Date(timeIntervalSinceNow: Self.longestWait)) }
            case .nothing: break
            }
            isWoken = false
            guard !isClosed else { return nil }
            defer { requests = [] }
            return requests
        }
    }

    /// What nobody took before it was closed.
    func drain() -> [TalkerRequest] { condition.withLock { requests } }
}
