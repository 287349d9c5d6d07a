import Foundation
import Logging
import OmniAPI
import OmniEngine

/// The one thread that owns a model: it takes the most urgent requests, speaks one sentence of each, and looks again.
///
/// New requests come first, so that every listener hears something soon; then those whose listeners will run dry first. Where
/// the model allows, sentences of several requests are spoken side by side, each on one core: that takes less in all than one
/// after the other on all cores.
// All mutable state is guarded by `condition`, except the speaker, which only the thread touches.
final class SynthesisThread<Speaker: UnitSpeaker>: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [SpeechJob<Speaker>] = []
    private var isClosing = false
    private var hasEnded = false
    private var busySince: ContinuousClock.Instant?
    /// Requests of which a sentence is being spoken.
    private var speaking = 0

    /// Starts the thread, which makes the speaker itself; returns once it is loaded. Must not be called on the cooperative pool.
    static func start(load: @escaping @Sendable () throws -> Speaker) throws -> (SynthesisThread, Speaker.Facts) {
        let loaded = BoundedQueue<Result<Speaker.Facts, any Error>>(limit: 1)
        let synthesis = SynthesisThread()
        let thread = Thread {
            do {
                let speaker = try load()
                loaded.post(.success(speaker.facts))
                synthesis.run(speaker)
            } catch {
                loaded.post(.failure(error))
            }
            synthesis.condition.withLock {
                synthesis.hasEnded = true
                synthesis.condition.broadcast()
            }
        }
        thread.name = "omni-speech"
        thread.stackSize = 16 << 20
        thread.start()
        guard let facts = try loaded.take()?.first?.get() else { throw APIError.unloading }
        return (synthesis, facts)
    }

    /// Time since the unit in work began or last gave a sign of life; nil when idle.
    var stalledFor: Duration? { condition.withLock { busySince.map { ContinuousClock.now - $0 } } }

    /// Requests that wait for their first sentence, and all others.
    private var load: (waiting: Int, running: Int) {
        condition.withLock {
            let waiting = jobs.count(where: \.isFresh)
            return (waiting, jobs.count - waiting + speaking)
        }
    }

    /// Hands a request over. Throws 503 when the thread is closing, or has as many as it may have.
    private func submit(_ job: sending SpeechJob<Speaker>, most: Int) throws {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosing else { throw APIError.unloading }
        guard jobs.count + speaking < most else { throw APIError.full(most) }
        jobs.append(job)
        condition.signal()
    }

    /// A reader has taken sound, or has gone: look again.
    func wake() { condition.withLock { condition.signal() } }

    /// Ends all requests with 503 and the thread after its unit, or at the next sign of life within it, and gives the model's memory back. Returns at once.
    func close() {
        condition.withLock {
            isClosing = true
            condition.broadcast()
        }
    }

    /// Closes, and returns when the thread is gone.
    func end() async {
        close()
        try? await BlockingThread.run(name: "omni-speech-end") { [self] in condition.withLock { while !hasEnded { condition.wait() } } }
    }

    private func run(_ speaker: Speaker) {
        while let turn = takeNext(for: speaker) {
            speak(turn, speaker)
            condition.withLock { (busySince, speaking) = (nil, 0) }
        }
        let left = condition.withLock { jobs }
        for job in left { job.end(throwing: APIError.unloading) }
    }

    /// Of one request its first sentence, or the next few side by side; of several requests one sentence after the other on each
    /// core, until the lane is wanted or one request is left.
    private func speak(_ turn: [SpeechJob<Speaker>], _ speaker: Speaker) {
        let most = turn.count == 1 ? speaker.maxConcurrency : 1
        let ready = turn.filter { $0.prepare(speaker, most: most) }
        condition.withLock { speaking = ready.count }
        guard !ready.isEmpty else { return }
        speaker.takeTurn(of: ready.count == 1 ? ready[0].readyCount : ready.count) {
            DispatchQueue.concurrentPerform(iterations: ready.count) { place in
                var next: SpeechJob<Speaker>? = ready[place]
                while let job = next {
                    job.speak(speaker, isShared: ready.count > 1, pulse: pulse)
                    next = change(job, for: speaker, isShared: ready.count > 1)
                }
            }
        }
    }

    /// Takes back a request of which a sentence was spoken; in a shared turn, gives out another one that is ready to be spoken.
    private func change(_ job: SpeechJob<Speaker>, for speaker: Speaker, isShared: Bool) -> SpeechJob<Speaker>? {
        condition.lock()
        defer { condition.unlock() }
        if !job.isOver { jobs.append(job) }
        speaking -= 1
        while isShared, !isClosing, speaker.maxConcurrency > 1, let urgent = mostUrgent, speaking > 0 || jobs.count > 1 {
            let next = jobs.remove(at: urgent)
            (busySince, speaking) = (.now, speaking + 1)
            condition.unlock()
            let isReady = next.prepare(speaker)
            condition.lock()
            if isReady { return next }
            speaking -= 1
        }
        return nil
    }

    /// The speaker lives. Throws once the thread is closing.
    @Sendable private func pulse() throws {
        try condition.withLock {
            busySince = .now
            if isClosing { throw APIError.unloading }
        }
    }

    /// Waits for jobs that can go on, and takes them out of the list; nil when closing.
    private func takeNext(for speaker: Speaker) -> [SpeechJob<Speaker>]? {
        condition.lock()
        defer { condition.unlock() }
        while !isClosing {
            var turn: [SpeechJob<Speaker>] = []
            let most = speaker.maxConcurrency
            while turn.count < most, let urgent = mostUrgent { turn.append(jobs.remove(at: urgent)) }
            if !turn.isEmpty {
                (busySince, speaking) = (.now, turn.count)
                return turn
            }
            condition.wait()
        }
        return nil
    }

    /// Called with `condition` locked.
    private var mostUrgent: Int? {
        let ready = jobs.indices.filter { jobs[$0].isCancelled || !jobs[$0].isAhead }
        return ready.first { jobs[$0].isFresh || jobs[$0].isCancelled } ?? ready.min { jobs[$0].deadline < jobs[$1].deadline }
    }
}

extension SynthesisThread {
    /// Bytes of a text that takes longer to cut than the caller's thread may be held up.
    private static var longText: Int { 8192 }

    /// Takes a request on and returns what will come of it. Throws ``APIError`` for a text that is empty or too long, and when
    /// there is no place in the queue.
    func speak(_ text: String, _ plan: SpeechJob<Speaker>.Plan, scope: RequestScope, logger: Logger) async throws -> AsyncThrowingStream<
        SpeechEvent, any Error
    > {
        let options = plan.options
        guard text.unicodeScalars.count <= options.longestText else {
            throw APIError(
                .tooLarge, "The text has \(text.unicodeScalars.count) characters; the limit is \(options.longestText).",
                remedy: "Send it in parts.", param: "input")
        }
        let load = load
        // Asked again when the request is handed over: this only saves the work on its text.
        guard load.waiting + load.running < options.mostRequests else { throw APIError.full(options.mostRequests) }
        @Sendable func cut() -> SpeechText { SpeechText(text, longest: options.longestUnit, language: plan.language) }
        let units = text.utf8.count > Self.longText ? try await BlockingThread.run(name: "omni-speech-cut", cut) : cut()
        guard !units.units.isEmpty else { throw APIError.invalid("input", "Input text cannot be empty") }
        let cancellation = SpeechCancellation(request: scope.cancellation, stream: CancellationToken())
        let mailbox = SpeechMailbox { [self] in wake() }
        var logger = logger
        logger[metadataKey: "request"] = "\(scope.id)"
        let job = try SpeechJob<Speaker>(text: units, plan: plan, mailbox: mailbox, cancellation: cancellation, logger: logger)
        try submit(job, most: options.mostRequests)
        return mailbox.stream { [self] in
            cancellation.stream.cancel()
            wake()
        }
    }

    /// Puts the numbers of requests into the registry.
    func report(to registry: MetricsRegistry, modelName: String) {
        let load = load
        registry.set(.requestsRunning, Double(load.running), labels: ["model_name": modelName])
        registry.set(.requestsWaiting, Double(load.waiting), labels: ["model_name": modelName])
    }
}

extension APIError {
    fileprivate static func full(_ most: Int) -> APIError {
        APIError(.unavailable, "The speech model has \(most) requests already.", remedy: "Try again later.", retryAfter: 5)
    }

    fileprivate static var unloading: APIError { APIError(.unavailable, "The speech model is being unloaded.", retryAfter: 5) }
}
