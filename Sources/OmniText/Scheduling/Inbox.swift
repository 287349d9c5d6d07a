import Foundation
import OmniAPI
import OmniEngine

/// Hands requests to the engine's thread and counts who waits.
///
/// Unchecked: every field is guarded by `condition`.
final class Inbox: @unchecked Sendable {
    private let condition = NSCondition()
    private var requests: [GenerationRequest] = []
    private var closed = false
    /// Sequences that were taken in and are not done.
    private var inFlight = 0
    /// Seconds a request takes, averaged.
    private var secondsPerRequest = 2.0
    private let maxSequences: Int
    private let maxQueue: Int

    init(maxSequences: Int, maxQueue: Int) {
        self.maxSequences = maxSequences
        self.maxQueue = maxQueue
    }

    /// Throws 503 when the queue is full or the engine is going away.
    func add(_ request: GenerationRequest) throws {
        condition.lock()
        defer { condition.unlock() }
        guard !closed else { throw Self.closing }
        // One that is larger than the queue by itself is taken when nobody is there.
        guard inFlight == 0 || inFlight + request.sequenceCount <= maxSequences + maxQueue else {
            let wait = Double(inFlight) / Double(maxSequences) * secondsPerRequest
            throw APIError(
                .unavailable,
                "The queue is full: \(min(inFlight, maxSequences)) answers are being made, \(max(inFlight - maxSequences, 0)) wait and \(request.sequenceCount) were asked for.",
                remedy: "Try again later, or start the server with a larger --max-queue (now \(maxQueue)).",
                retryAfter: Int(min(max(wait.rounded(.up), 1), 60)))
        }
        inFlight += request.sequenceCount
        requests.append(request)
        condition.signal()
    }

    static var closing: APIError { APIError(.unavailable, "The model is being unloaded.", remedy: "Try again in a moment.", retryAfter: 1) }

    /// Sequences of a request are done.
    func finished(_ count: Int, seconds: Double?) {
        condition.lock()
        defer { condition.unlock() }
        inFlight -= count
        if let seconds { secondsPerRequest += (seconds - secondsPerRequest) * 0.1 }
    }

    /// New requests; blocks while there are none if `idle`, until `deadline` at most. Nil once the inbox is closed.
    func take(idle: Bool, until deadline: ContinuousClock.Instant? = nil) -> [GenerationRequest]? {
        condition.lock()
        defer { condition.unlock() }
        while idle, requests.isEmpty, !closed {
            guard let deadline else {
                condition.wait()
                continue
            }
            let left = (deadline - .now).seconds
            guard left > 0 else { break }
            _ = condition.wait(until: Date(timeIntervalSinceNow: left))
        }
        if closed { return nil }
        defer { requests = [] }
        return requests
    }

    /// Ends the loop; what was not taken yet is handed back.
    func close() {
        condition.lock()
        closed = true
        condition.signal()
        condition.unlock()
    }

    func drain() -> [GenerationRequest] {
        condition.lock()
        defer { condition.unlock() }
        defer { requests = [] }
        return requests
    }
}
