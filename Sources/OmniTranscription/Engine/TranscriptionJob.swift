import Logging
import OmniAPI
import OmniEngine

/// One request while it is heard: sound comes in, is cut at pauses, and each piece is written down. The engine's thread has it.
// @unchecked: handed to the thread whole; only the thread touches it from then on.
final class TranscriptionJob: @unchecked Sendable {
    private let request: SpeechRecognition
    private let events: BoundedQueue<TranscriptionEvent>
    private let owners: [CancellationToken]
    private let logger: Logger
    private var cutter: SpeechCutter
    private var detector: VoiceDetector?
    /// Samples that do not make a frame yet.
    private var rest: [Float] = []
    private var isOver = false
    private var language: String?
    private var isFresh = true
    /// Tokens of what was said last; nil before the first piece.
    private var history: [Int32]?
    private var counts = TranscriptionCounts()
    private var lastText = ""
    private var lastWordEnd = 0.0

    init(
        _ request: SpeechRecognition, language: String?, events: BoundedQueue<TranscriptionEvent>, owners: [CancellationToken],
        logger: Logger
    ) {
        (self.request, self.language, self.events, self.owners, self.logger) = (request, language, events, owners, logger)
        let activity = request.voiceActivity
        var settings = SpeechCutter.Settings()
        settings.threshold = Float(activity.threshold)
        settings.padding = Int(activity.padding * Double(SpeechRecognition.sampleRate))
        settings.pause = max(settings.frame, Int(activity.pause * Double(SpeechRecognition.sampleRate)))
        cutter = SpeechCutter(settings)
    }

    var isCancelled: Bool { owners.contains(where: \.isCancelled) }

    func end(_ result: Result<Void, any Error>) { events.finish(result) }

    /// Hears one piece, or a minute of silence. False when that was all.
    func step(_ recognizer: Recognizer) throws -> Bool {
        if isFresh {
            isFresh = false
            detector = try recognizer.detector()
        }
        let limit = cutter.position + 60 * SpeechRecognition.sampleRate
        while true {
            try recognizer.turn.check()
            if isCancelled { throw CancellationError() }
            if let piece = cutter.next() {
                try hear(piece, recognizer)
                events.post(.heard(seconds: seconds(piece.end)))
                return true
            }
            if isOver {
                finish()
                return false
            }
            if cutter.position >= limit {
                events.post(.heard(seconds: seconds(cutter.position)))
                return true
            }
            try take(recognizer)
        }
    }

    private func finish() {
        counts.seconds = seconds(cutter.position)
        if let language { events.post(.language(language)) }
        events.post(.finished(counts))
        events.finish()
    }

    /// Takes about a second of sound.
    private func take(_ recognizer: Recognizer) throws {
        var samples = rest
        while samples.count < SpeechRecognition.sampleRate, !isOver {
            if let more = try request.sound.next() { samples += more } else { isOver = true }
        }
        let whole = isOver ? samples.count : samples.count / VoiceDetector.frame * VoiceDetector.frame
        rest = Array(samples[whole...])
        samples.removeLast(samples.count - whole)
        let frames = (samples.count + VoiceDetector.frame - 1) / VoiceDetector.frame
        let probabilities = try detector.map { detector in try recognizer.turn.run(for: owners) { try detector.probabilities(of: samples) }
        }
        cutter.add(samples, probabilities: probabilities ?? [Float](repeating: 1, count: frames))
        if isOver { cutter.finish() }
    }

    /// Hears a piece window by window, until all that was said in it is written down.
    private func hear(_ piece: SoundPiece, _ recognizer: Recognizer) throws {
        let model = try recognizer.model(timesWords: request.timesWords)
        if history == nil { history = request.prompt.map { model.tokens(of: " \($0.trimmingPrefix(" "))") } ?? [] }
        var from = 0
        while true {
            var settings = WhisperModel.Settings(language: language, translates: request.translates, temperature: request.temperature)
            settings.prompt = Array((history ?? []).suffix(model.longestPrompt))
            (settings.beams, settings.threads) = (recognizer.beams, recognizer.threads)
            let window = try hear(piece.samples, from: from, settings, model)
            if language == nil {
                language = window.language
                events.post(.language(window.language))
            }
            counts.promptTokens += settings.prompt.count
            counts.spokenSeconds += seconds(piece.count - from * 160)
            let reading = WindowReading(window, in: piece, from: from)
            for index in reading.kept.indices { emit(reading.kept, at: index, of: piece, window, from: from) }
            remember(reading.kept, window)
            if let next = reading.next {
                from = next
                continue
            }
            if let resumption = reading.resumption { cutter.resume(at: resumption) }
            return
        }
    }

    /// Hears a window; for a request in a hurry with a look that is hardly longer than its sound, where the model is sure of what it heard.
    private func hear(_ samples: [Float], from: Int, _ settings: WhisperModel.Settings, _ model: WhisperModel) throws -> WhisperModel.Window
    {
        guard request.lowLatency else { return try model.hear(samples, from: from, settings, for: owners) }
        let frames = ((samples.count / 160 - from) / 2 + Self.quietFrames + Self.frameStep - 1) / Self.frameStep * Self.frameStep
        guard frames < model.windowFrames else { return try model.hear(samples, from: from, settings, for: owners) }
        var quick = settings
        quick.encoderFrames = frames
        let window = try model.hear(samples, from: from, quick, for: owners)
        return window.isDoubtful ? try model.hear(samples, from: from, settings, for: owners) : window
    }

    /// Frames of 20 ms behind the sound that a quick look has at least.
    private static let quietFrames = 64
    /// Of which its length is a multiple: whisper.cpp's attention reads up to the next one.
    private static let frameStep = 256

    private func emit(
        _ segments: [WhisperModel.Window.Segment], at index: Int, of piece: SoundPiece, _ window: WhisperModel.Window, from: Int
    ) {
        let heard = segments[index]
        let start = seconds(piece.source(of: heard.start * 160)), end = max(start, seconds(piece.source(of: heard.end * 160, isEnd: true)))
        var segment = TranscriptSegment(
            start: start, end: end, text: heard.text,
            tokens: heard.tokens.map { TranscriptToken(id: Int($0.id), bytes: $0.bytes, logprob: $0.logprob) },
            temperature: window.temperature, compressionRatio: compressionRatio(of: heard.text),
            noSpeechProbability: heard.noSpeechProbability,
            seek: piece.source(of: from * 160) / 160)
        if !heard.tokens.isEmpty { segment.averageLogprob = heard.tokens.reduce(0) { $0 + $1.logprob } / Double(heard.tokens.count) }
        if request.timesWords {
            let tokens = heard.tokens.map { token in
                WordTimes.Token(bytes: token.bytes, end: token.end.map { seconds(piece.source(of: $0 * 160, isEnd: true)) } ?? end)
            }
            let speech = piece.speech.map {
                seconds(
                    piece.source(of: $0.lowerBound))...max(
                        seconds(piece.source(of: $0.lowerBound)), seconds(piece.source(of: $0.upperBound, isEnd: true)))
            }
            // Whisper's own times of a segment are coarser than those of its words.
            let next = segments.dropFirst(index + 1).first.map { seconds(piece.source(of: $0.start * 160)) } ?? seconds(piece.end)
            segment.words = WordTimes.words(
                tokens, start: max(start, lastWordEnd), end: max(end, min(next, end + 1)), speech: detector == nil ? [] : speech)
            lastWordEnd = segment.words.last?.end ?? lastWordEnd
        }
        counts.outputTokens += heard.tokens.count
        events.post(.segment(segment))
    }

    /// What was said goes before the next window, unless it was hard to understand or says the same over and over.
    private func remember(_ segments: [WhisperModel.Window.Segment], _ window: WhisperModel.Window) {
        let text = segments.map(\.text).joined()
        guard window.temperature <= 0.5, compressionRatio(of: text) <= 2.4, text != lastText || text.isEmpty else {
            (history, lastText) = ([], text)
            return
        }
        lastText = text
        history = ((history ?? []) + segments.flatMap { $0.tokens.map(\.id) }).suffix(224)
    }

    private func seconds(_ samples: Int) -> Double { Double(samples) / Double(SpeechRecognition.sampleRate) }
}
