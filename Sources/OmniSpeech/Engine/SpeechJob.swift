import Logging
import OmniAPI
import OmniEngine
import OmniMedia

/// One request on its way through synthesis, sentence by sentence.
///
/// After it was handed to the synthesis thread, only that thread touches it, or the one to which that has lent it for a
/// sentence.
// @unchecked: for that loan.
final class SpeechJob: @unchecked Sendable {
    let mailbox: SpeechMailbox
    private let scope: RequestScope
    private let dropped: CancellationToken
    private let text: SpeechText
    private let plan: Plan
    private let logger: Logger
    private var next = 0
    /// What is to be spoken of the next unit.
    private var prepared = SpeechFrontEnd.Prepared(symbols: 0)
    /// The last unit was spoken, or the job ended for another reason.
    private(set) var isOver = false
    private var joiner: UnitJoiner
    private var stretch: TimeStretch
    private let resampler: Resampler?
    private var usage = SpeechUsage()
    private var samplesSent = 0
    private var hasSpoken = false
    private var hadWords = false
    private let began = ContinuousClock.now

    /// What stays the same for all units.
    struct Plan {
        var speaker: Int
        /// nil for models that read text themselves.
        var espeakVoice: String?
        var reference: ReferenceVoice?
        var extra: JSONObject
        var speed: Double
        /// Hz of the model, and of what is sent.
        var modelRate: Int
        var sampleRate: Int
        var options: SpeechOptions
    }

    init(text: SpeechText, plan: Plan, mailbox: SpeechMailbox, scope: RequestScope, dropped: CancellationToken, logger: Logger) throws {
        self.text = text
        self.plan = plan
        self.mailbox = mailbox
        self.scope = scope
        self.dropped = dropped
        self.logger = logger
        joiner = UnitJoiner(sampleRate: plan.modelRate, pauses: plan.options.pauses)
        stretch = TimeStretch(speed: plan.speed, sampleRate: plan.modelRate)
        resampler = plan.sampleRate == plan.modelRate ? nil : try Resampler(from: plan.modelRate, to: plan.sampleRate)
    }

    /// Has sent nothing yet: its listener is waiting.
    var isFresh: Bool { next == 0 }
    /// When its listener will have heard everything sent so far.
    var deadline: ContinuousClock.Instant { began + .seconds(Double(samplesSent) / Double(plan.sampleRate)) }
    var isCancelled: Bool { scope.cancellation.isCancelled || dropped.isCancelled }
    /// Enough sound waits for a slow reader.
    var isAhead: Bool { Double(mailbox.unreadSamples) > plan.options.lead * Double(plan.sampleRate) }

    /// Makes the next unit ready to be spoken; false when the job is over.
    func prepare(_ frontEnd: SpeechFrontEnd) -> Bool {
        attempt {
            if isCancelled { throw CancellationError() }
            prepared = try frontEnd.prepare(text.units[next].text, espeakVoice: plan.espeakVoice)
        }
        return !isOver
    }

    /// Speaks the unit that is ready, under the lane, and ends the job with the last.
    func speak(_ voice: SherpaVoice) {
        attempt {
            try speak(text.units[next], voice)
            next += 1
            guard next == text.units.count else { return }
            try end()
            isOver = true
        }
    }

    private func attempt(_ body: () throws -> Void) {
        do { try body() } catch {
            mailbox.finish(.failure(error))
            isOver = true
        }
    }

    private func speak(_ unit: SpeechText.Unit, _ voice: SherpaVoice) throws {
        var samples: [Float] = []
        if let input = prepared.input {
            hadWords = true
            let utterance = SherpaUtterance(input: input, speaker: plan.speaker, reference: plan.reference, extra: plan.extra)
            guard let spoken = try voice.speak(utterance, cancellation: scope.cancellation) else { throw CancellationError() }
            samples = spoken
            hasSpoken = hasSpoken || !spoken.isEmpty
        }
        if isCancelled { throw CancellationError() }
        try send(stretch.push(joiner.append(samples, of: unit)))
        let record = SpeechUnit(index: next, text: unit.text, symbols: prepared.symbols, dropped: prepared.dropped, samples: samples.count)
        usage.inputTokens += record.symbols
        usage.units += 1
        mailbox.post(.unit(record))
        logger.debug("spoke a unit", metadata: [
            "unit": "\(next + 1)/\(text.units.count)", "text": "\(unit.text)", "symbols": "\(record.symbols)", "samples": "\(samples.count)",
            "dropped": "\(record.dropped.joined())",
        ])
    }

    /// The same way for all sound, whatever the request: resampled, and cut into pieces of a fifth of a second.
    private func send(_ samples: [Float], isLast: Bool = false) throws {
        var samples = samples
        if let resampler {
            samples = try resampler.push(samples)
            if isLast { samples += try resampler.finish() }
        }
        let piece = max(1, plan.sampleRate / 5)
        for start in stride(from: 0, to: samples.count, by: piece) {
            mailbox.post(.audio(Array(samples[start..<min(start + piece, samples.count)])))
        }
        samplesSent += samples.count
    }

    private func end() throws {
        guard hasSpoken || !hadWords else {
            throw APIError(.internalError, "The speech model made no sound of this text.", remedy: "Its words may be unknown to the model; standard error may tell more.")
        }
        // A text without a word in it ("...") is a short silence: some formats have no file of no length.
        if !hasSpoken { try send([Float](repeating: 0, count: plan.modelRate / 5)) }
        try send(stretch.finish(), isLast: true)
        usage.seconds = Double(samplesSent) / Double(plan.sampleRate)
        usage.outputTokens = Int((usage.seconds / 0.08).rounded(.up))
        mailbox.post(.usage(usage))
        mailbox.finish()
        logger.info("spoke", metadata: [
            "units": "\(usage.units)/\(text.units.count)", "symbols": "\(usage.inputTokens)", "seconds": "\(usage.seconds)",
            "took": "\(ContinuousClock.now - began)",
        ])
    }
}
