import Foundation
import Logging
import OmniAPI
import OmniEngine

/// The one thread that owns a model: it takes the most urgent request, speaks one sentence of it, and looks again.
///
/// New requests come first, so that every listener hears something soon; then the one whose listener will run dry first.
// All mutable state is guarded by `condition`, except the speaker, which only the thread touches.
final class SynthesisThread<Speaker: UnitSpeaker>: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [SpeechJob<Speaker>] = []
    private var isClosing = false
    private var hasEnded = false
    private var busySince: ContinuousClock.Instant?

    /// Starts the thread, which makes the speaker itself; returns once it is loaded. Must not be called on the cooperative pool.
    static func start(load: @escaping @Sendable () throws -> Speaker) throws -> (SynthesisThread, Speaker.Facts) {
        let handover = Handover<Result<Speaker.Facts, any Error>>()
        let synthesis = SynthesisThread()
        let thread = Thread {
            do {
                let speaker = try load()
                handover.give(.success(speaker.facts))
                synthesis.run(speaker)
            } catch {
                handover.give(.failure(error))
            }
            synthesis.condition.withLock {
                synthesis.hasEnded = true
                synthesis.condition.broadcast()
            }
        }
        thread.name = "omni-speech"
        thread.stackSize = 16 << 20
        thread.start()
        return (synthesis, try handover.take().get())
    }

    /// Time since the unit in work began or last gave a sign of life; nil when idle.
    var stalledFor: Duration? { condition.withLock { busySince.map { ContinuousClock.now - $0 } } }

    /// How many requests are in work or wait.
    var count: Int { condition.withLock { jobs.count } }

    /// Hands a request over; false when the thread is closing.
    func submit(_ job: sending SpeechJob<Speaker>) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosing else { return false }
        jobs.append(job)
        condition.signal()
        return true
    }

    /// A reader has taken sound, or has gone: look again.
    func wake() { condition.withLock { condition.signal() } }

    /// Ends all requests with 503 and the thread after its unit, and gives the model's memory back. Returns at once.
    func close() {
        condition.withLock {
            isClosing = true
            condition.broadcast()
        }
    }

    /// Closes, and returns when the thread is gone.
    func end() async {
        close()
        // Waiting blocks: on a thread of its own.
        await withCheckedContinuation { continuation in
            Thread { [self] in
                condition.withLock { while !hasEnded { condition.wait() } }
                continuation.resume()
            }.start()
        }
    }

    private func run(_ speaker: Speaker) {
        while let job = takeNext() {
            let isOver = job.step(speaker) { condition.withLock { busySince = .now } }
            condition.withLock {
                busySince = nil
                if !isOver { jobs.append(job) }
            }
        }
        let left = condition.withLock { jobs }
        for job in left { job.mailbox.finish(.failure(APIError(.unavailable, "The speech model is being unloaded.", retryAfter: 5))) }
    }

    /// Waits for a job that can go on, and takes it out of the list; nil when closing.
    private func takeNext() -> SpeechJob<Speaker>? {
        condition.lock()
        defer { condition.unlock() }
        while !isClosing {
            let ready = jobs.indices.filter { jobs[$0].isCancelled || !jobs[$0].isAhead }
            let urgent = ready.first { jobs[$0].isFresh || jobs[$0].isCancelled } ?? ready.min { jobs[$0].deadline < jobs[$1].deadline }
            if let urgent {
                busySince = .now
                return jobs.remove(at: urgent)
            }
            condition.wait()
        }
        return nil
    }
}

extension SynthesisThread {
    /// Takes a request on and returns what will come of it. Throws ``APIError`` for a text that is empty or too long, and when
    /// there is no place in the queue.
    func speak(_ text: String, _ plan: SpeechJob<Speaker>.Plan, scope: RequestScope, logger: Logger) throws -> AsyncThrowingStream<SpeechEvent, any Error> {
        let options = plan.options
        guard text.unicodeScalars.count <= options.longestText else {
            throw APIError(
                .tooLarge, "The text has \(text.unicodeScalars.count) characters; the limit is \(options.longestText).",
                remedy: "Send it in parts.", param: "input")
        }
        guard count < options.mostRequests else {
            throw APIError(.unavailable, "The speech model has \(options.mostRequests) requests already.", remedy: "Try again later.", retryAfter: 5)
        }
        let units = SpeechText(text, longest: options.longestUnit)
        guard !units.units.isEmpty else { throw APIError.invalid("input", "Input text cannot be empty") }
        let cancellation = SpeechCancellation(request: scope.cancellation, stream: CancellationToken())
        let mailbox = SpeechMailbox { [self] in wake() }
        var logger = logger
        logger[metadataKey: "request"] = "\(scope.id)"
        let job = try SpeechJob<Speaker>(text: units, plan: plan, mailbox: mailbox, cancellation: cancellation, logger: logger)
        guard submit(job) else { throw APIError(.unavailable, "The speech model is being unloaded.", retryAfter: 5) }
        return mailbox.stream { [self] in
            cancellation.stream.cancel()
            wake()
        }
    }
}

/// Runs what blocks for seconds on a thread of its own.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
        thread.stackSize = 8 << 20
        thread.start()
    }
}

/// A one-time hand-over between two threads.
// Guarded by `condition`.
private final class Handover<Value: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var value: Value?

    func give(_ value: Value) {
        condition.withLock {
            self.value = value
            condition.signal()
        }
    }

    /// Waits for the value.
    func take() -> Value {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let value { return value }
            condition.wait()
        }
    }
}
