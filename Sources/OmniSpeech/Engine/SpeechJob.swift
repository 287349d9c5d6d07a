import Logging
import OmniAPI
import OmniEngine
import OmniMedia

/// One request on its way through synthesis, sentence by sentence.
///
/// After it was handed to the synthesis thread, only that thread touches it, or the one to which that has lent it for a
/// sentence.
// @unchecked: for that loan.
final class SpeechJob<Speaker: UnitSpeaker>: @unchecked Sendable {
    let mailbox: SpeechMailbox
    private let cancellation: SpeechCancellation
    private let text: SpeechText
    private let plan: Plan
    private let logger: Logger
    private var next = 0
    /// What is to be spoken of the next unit.
    private var prepared = PreparedUnit<Speaker.Script>(symbols: 0)
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
    struct Plan: Sendable {
        var manner: Speaker.Manner
        var speed: Double
        /// Hz of the model, and of what is sent.
        var modelRate: Int
        var sampleRate: Int
        var options: SpeechOptions

        /// Throws ``APIError`` for a speed or a rate that no model takes.
        init(_ request: SpeechSynthesis, manner: Speaker.Manner, modelRate: Int, options: SpeechOptions) throws {
            guard (0.25...4).contains(request.speed) else { throw APIError.invalid("speed", "speed: must be from 0.25 to 4, not \(request.speed).") }
            self.manner = manner
            self.modelRate = modelRate
            self.options = options
            speed = request.speed
            sampleRate = request.sampleRate ?? modelRate
            guard (8000...48_000).contains(sampleRate) else {
                throw APIError.invalid("sample_rate", "sample_rate: must be from 8000 to 48000, not \(sampleRate).")
            }
        }
    }

    init(text: SpeechText, plan: Plan, mailbox: SpeechMailbox, cancellation: SpeechCancellation, logger: Logger) throws {
        self.text = text
        self.plan = plan
        self.mailbox = mailbox
        self.cancellation = cancellation
        self.logger = logger
        joiner = UnitJoiner(sampleRate: plan.modelRate, pauses: plan.options.pauses)
        stretch = TimeStretch(speed: plan.speed, sampleRate: plan.modelRate)
        resampler = plan.sampleRate == plan.modelRate ? nil : try Resampler(from: plan.modelRate, to: plan.sampleRate)
    }

    /// Has sent nothing yet: its listener is waiting.
    var isFresh: Bool { next == 0 }
    /// When its listener will have heard everything sent so far.
    var deadline: ContinuousClock.Instant { began + .seconds(Double(samplesSent) / Double(plan.sampleRate)) }
    var isCancelled: Bool { cancellation.isCancelled }
    /// Enough sound waits for a slow reader.
    var isAhead: Bool { Double(mailbox.unreadSamples) > plan.options.lead * Double(plan.sampleRate) }

    /// Makes the next unit ready to be spoken; false when the job is over.
    func prepare(_ speaker: Speaker) -> Bool {
        attempt {
            try cancellation.check()
            prepared = try speaker.prepare(text.units[next], plan.manner)
        }
        return !isOver
    }

    /// Speaks the unit that is ready, in a turn of the speaker's, and ends the job with the last. `pulse` is called at each of the
    /// speaker's signs of life, and ends the job by throwing.
    func speak(_ speaker: Speaker, pulse: () throws -> Void) {
        attempt {
            try speak(text.units[next], speaker, pulse)
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

    private func speak(_ unit: SpeechText.Unit, _ speaker: Speaker, _ pulse: () throws -> Void) throws {
        var samples = 0
        if let script = prepared.script {
            hadWords = true
            try speaker.speak(script, at: next, plan.manner, cancellation: cancellation) { sound in
                if sound.isEmpty { try pulse() }
                try cancellation.check()
                samples += sound.count
                try send(stretch.push(joiner.append(sound)))
            }
        }
        try cancellation.check()
        try send(stretch.push(joiner.end(unit)))
        hasSpoken = hasSpoken || samples > 0
        let record = SpeechUnit(index: next, text: unit.text, symbols: prepared.symbols, dropped: prepared.dropped, samples: samples)
        usage.inputTokens += record.symbols
        usage.units += 1
        mailbox.post(.unit(record))
        logger.debug("spoke a unit", metadata: [
            "unit": "\(next + 1)/\(text.units.count)", "text": "\(unit.text)", "symbols": "\(record.symbols)", "samples": "\(samples)",
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
