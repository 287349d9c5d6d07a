import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniMedia
import Synchronization

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
    /// What is to be spoken of the next units, and what is being made of those behind.
    private var prepared: [PreparedUnit<Speaker.Script>] = []
    private var ahead: Preparation<Speaker.Script>?
    /// Units that are ready to be spoken in this turn.
    private(set) var readyCount = 0
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
        var settings: Speaker.VoiceSettings
        /// Of the text, where it is known: signs that stand for words are read in it.
        var language: String?
        var speed: Double
        /// Hz of the model, and of what is sent.
        var modelRate: Int
        var sampleRate: Int
        var options: SpeechOptions

        /// Throws ``APIError`` for a speed or a rate that no model takes.
        init(_ request: SpeechSynthesis, settings: Speaker.VoiceSettings, language: String? = nil, modelRate: Int, options: SpeechOptions)
            throws
        {
            guard (0.25...4).contains(request.speed) else {
                throw APIError.invalid("speed", "speed: must be from 0.25 to 4, not \(request.speed).")
            }
            self.settings = settings
            self.language = language
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
        joiner = UnitJoiner(sampleRate: plan.modelRate, pauses: plan.options.pauses, speed: plan.speed, silence: text.leadingSilence)
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

    /// Makes the next unit ready to be spoken; once there is something to listen to, the next `most`. False when the job is over.
    func prepare(_ speaker: Speaker, most: Int = 1) -> Bool {
        attempt {
            try cancellation.check()
            prepared += try ahead?.take() ?? []
            ahead = nil
            readyCount = min(isFresh ? 1 : most, text.units.count - next)
            prepared += try text.units[(next + prepared.count)...].prefix(max(0, readyCount - prepared.count)).map {
                try speaker.prepare($0, plan.settings)
            }
        }
        return !isOver
    }

    /// Speaks the units that are ready, in a turn of the speaker's, and ends the job with the last: one as it comes, several side by
    /// side, each on one core. `pulse` is called at each of the speaker's signs of life, and ends the job by throwing. `isShared`: other
    /// requests are spoken in the same turn.
    func speak(_ speaker: Speaker, isShared: Bool, pulse: @Sendable () throws -> Void) {
        attempt {
            prepareAhead(isShared ? 1 : speaker.maxConcurrency, speaker)
            let units = prepared.prefix(readyCount)
            if units.count == 1 {
                try take(units[0]) { emit in try speak(units[0], at: next, speaker, pulse, emit) }
            } else {
                for (unit, sound) in zip(units, try spokenSideBySide(units, speaker, pulse)) { try take(unit) { emit in try emit(sound) } }
            }
            prepared.removeFirst(units.count)
            guard next == text.units.count else { return }
            try end()
            isOver = true
        }
    }

    /// While these units are spoken, those of the next turn, `count` at most, are made ready.
    private func prepareAhead(_ count: Int, _ speaker: Speaker) {
        let units = text.units[(next + prepared.count)...].prefix(max(0, readyCount + count - prepared.count))
        guard !units.isEmpty else { return }
        let settings = plan.settings
        ahead = Preparation { try units.map { try speaker.prepare($0, settings) } }
    }

    private func attempt(_ body: () throws -> Void) {
        do { try body() } catch { end(throwing: error) }
    }

    /// Ends the job early. Nothing uses the speaker any more when this returns.
    func end(throwing error: any Error) {
        mailbox.finish(.failure(error))
        isOver = true
        _ = try? ahead?.take()
        ahead = nil
    }

    private func speak(
        _ unit: PreparedUnit<Speaker.Script>, at index: Int, _ speaker: Speaker, _ pulse: @Sendable () throws -> Void,
        _ emit: ([Float]) throws -> Void
    ) throws {
        guard let script = unit.script else { return }
        try speaker.speak(script, at: index, plan.settings, cancellation: cancellation) { sound in
            if sound.isEmpty { try pulse() }
            try cancellation.check()
            try emit(sound)
        }
    }

    /// The sounds of the units that are ready.
    private func spokenSideBySide(
        _ units: ArraySlice<PreparedUnit<Speaker.Script>>, _ speaker: Speaker, _ pulse: @Sendable () throws -> Void
    ) throws -> [[Float]] {
        let sounds = Mutex<[Int: Result<[Float], any Error>]>([:])
        DispatchQueue.concurrentPerform(iterations: units.count) { place in
            let sound = Result {
                var whole: [Float] = []
                try speak(units[place], at: next + place, speaker, pulse) { whole += $0 }
                return whole
            }
            sounds.withLock { $0[place] = sound }
        }
        return try sounds.withLock { sounds in try units.indices.compactMap { try sounds[$0]?.get() } }
    }

    /// Sends the sound of the next unit, which `sound` hands out, and notes that it was spoken.
    private func take(_ prepared: PreparedUnit<Speaker.Script>, _ sound: (([Float]) throws -> Void) throws -> Void) throws {
        let unit = text.units[next]
        var samples = 0
        try sound { sound in
            samples += sound.count
            try send(stretch.push(joiner.append(sound)))
        }
        try cancellation.check()
        try send(stretch.push(joiner.end(unit)))
        hadWords = hadWords || prepared.script != nil
        hasSpoken = hasSpoken || samples > 0
        let record = SpeechUnit(index: next, text: unit.text, symbols: prepared.symbols, dropped: prepared.dropped, samples: samples)
        usage.inputTokens += record.symbols
        usage.units += 1
        next += 1
        mailbox.post(.unit(record))
        logger.debug(
            "spoke a unit",
            metadata: [
                "unit": "\(next)/\(text.units.count)", "text": "\(unit.text)", "symbols": "\(record.symbols)", "samples": "\(samples)",
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
            throw APIError(
                .internalError, "The speech model made no sound of this text.",
                remedy: "Its words may be unknown to the model; standard error may tell more.")
        }
        // A text without a word in it ("...") is a short silence: some formats have no file of no length.
        if !hasSpoken { try send([Float](repeating: 0, count: plan.modelRate / 5)) }
        try send(stretch.push(joiner.finish()))
        try send(stretch.finish(), isLast: true)
        usage.seconds = Double(samplesSent) / Double(plan.sampleRate)
        usage.outputTokens = Int((usage.seconds / 0.08).rounded(.up))
        mailbox.post(.usage(usage))
        mailbox.finish()
        logger.info(
            "spoke",
            metadata: [
                "units": "\(usage.units)/\(text.units.count)", "symbols": "\(usage.inputTokens)", "seconds": "\(usage.seconds)",
                "took": "\(ContinuousClock.now - began)",
            ])
    }
}

/// Units that are made ready on another thread.
// @unchecked: the result is written before the group is left, and read after.
private final class Preparation<Script: Sendable>: @unchecked Sendable {
    private var result: Result<[PreparedUnit<Script>], any Error> = .success([])
    private let group = DispatchGroup()

    init(_ prepare: @escaping @Sendable () throws -> [PreparedUnit<Script>]) {
        DispatchQueue.global(qos: .userInitiated).async(group: group) { [self] in result = Result(catching: prepare) }
    }

    /// Waits for the units, or throws what making them threw.
    func take() throws -> [PreparedUnit<Script>] {
        group.wait()
        return try result.get()
    }
}
