import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP

/// Writes what is heard as replies: whole, or event by event.
struct TranscriptionWriter: Sendable {
    let request: TranscriptionRequest
    let task: VerboseTranscription.Task
    let languages: [SpokenLanguage]
    let events: AsyncThrowingStream<TranscriptionEvent, any Error>
    let scope: RequestScope
    /// Seconds of the sound, as its file says.
    var statedSeconds: Double?

    // MARK: Whole replies

    func whole(ignored: String?) async throws -> Response {
        defer { scope.cancellation.cancel() }
        var transcript = Transcript()
        for try await event in events { transcript.take(event) }
        try Task.checkCancellation()
        var response =
            switch request.format {
            case .verboseJSON: Response.json(verbose(transcript).json)
            case .text: plain(transcript.text + "\n")
            case .srt: plain(Subtitles.srt(transcript.cues))
            case .vtt: plain(Subtitles.vtt(transcript.cues))
            case .json, .diarizedJSON: Response.json(short(transcript).json)
            }
        if let ignored { response.headers[.xIgnoredParams] = ignored }
        return response
    }

    private func plain(_ text: String) -> Response { .text(text, contentType: "text/plain; charset=utf-8") }

    private func short(_ transcript: Transcript) -> TranscriptionReply {
        var reply = TranscriptionReply()
        reply.text = transcript.text
        reply.languages = transcript.language.map { [DetectedLanguage(code: $0)] }
        reply.usage = TranscriptionUsage(seconds: transcript.counts.seconds.toMilliseconds)
        if request.tellsLogprobs { reply.logprobs = transcript.segments.flatMap { $0.tokens.map(TranscriptionLogprob.init) } }
        return reply
    }

    private func verbose(_ transcript: Transcript) -> VerboseTranscription {
        var reply = VerboseTranscription()
        reply.task = task
        // The text of a translation is English.
        let code = task == .translate ? "en" : transcript.language
        reply.language = languages.first { $0.code == code }?.name ?? code ?? ""
        reply.duration = transcript.counts.seconds.toMilliseconds
        reply.text = transcript.text
        if request.timesSegments { reply.segments = transcript.segments.enumerated().map { TranscriptionSegment($1, id: $0) } }
        if request.timesWords {
            reply.words = transcript.segments.flatMap(\.words).map {
                TranscriptionWord(word: $0.text, start: $0.start.toMilliseconds, end: $0.end.toMilliseconds)
            }
        }
        reply.usage = TranscriptionUsage(seconds: transcript.counts.seconds.toMilliseconds)
        return reply
    }

    // MARK: Events

    /// The text as it is heard; an error that is thrown becomes an event of its own.
    func sendEvents(to sink: EventSink) async throws {
        defer { scope.cancellation.cancel() }
        var transcript = Transcript()
        for try await event in events {
            let before = transcript.text
            transcript.take(event)
            switch event {
            case .segment(let segment):
                let more = String(transcript.text.dropFirst(before.count))
                let logprobs = request.tellsLogprobs ? segment.tokens.map(TranscriptionLogprob.init) : nil
                if !more.isEmpty { try await sink.data(TranscriptionStreamEvent.delta(more, logprobs: logprobs).json) }
                if request.format == .verboseJSON {
                    try await sink.data(TranscriptionStreamEvent.segment(.init(segment, index: transcript.segments.count - 1)).json)
                }
            case .heard(let seconds):
                try await sink.comment(
                    "heard \(seconds.toMilliseconds)" + (statedSeconds.map { "/\(max($0, seconds).toMilliseconds)" } ?? ""))
            case .language, .finished: break
            }
        }
        try Task.checkCancellation()
        var done = TranscriptionStreamEvent.Done()
        done.text = transcript.text
        done.languages = transcript.language.map { [DetectedLanguage(code: $0)] }
        if request.tellsLogprobs { done.logprobs = transcript.segments.flatMap { $0.tokens.map(TranscriptionLogprob.init) } }
        // Whisper's encoder has fifty steps a second.
        done.usage = TranscriptionUsage(
            audioTokens: Int((transcript.counts.seconds * 50).rounded(.up)), textTokens: transcript.counts.promptTokens,
            outputTokens: transcript.counts.outputTokens)
        try await sink.data(TranscriptionStreamEvent.done(done).json)
        try await sink.done()
    }
}

/// What has been heard so far.
struct Transcript: Sendable {
    private(set) var text = ""
    private(set) var segments: [TranscriptSegment] = []
    private(set) var language: String?
    private(set) var counts = TranscriptionCounts()

    mutating func take(_ event: TranscriptionEvent) {
        switch event {
        case .language(let code): language = code
        case .segment(let segment):
            segments.append(segment)
            text += text.isEmpty ? String(segment.text.drop(while: \.isWhitespace)) : segment.text
        case .heard: break
        case .finished(let counts): self.counts = counts
        }
    }

    var cues: [Subtitles.Cue] { segments.map { .init(start: $0.start, end: $0.end, text: $0.text) } }
}

extension TranscriptionSegment {
    init(_ segment: TranscriptSegment, id: Int) {
        self.init()
        (self.id, seek, text) = (id, segment.seek, segment.text)
        (start, end) = (segment.start.toMilliseconds, segment.end.toMilliseconds)
        tokens = segment.tokens.map(\.id)
        (temperature, averageLogprob) = (segment.temperature.rounded(toPlaces: 2), segment.averageLogprob.rounded(toPlaces: 6))
        (compressionRatio, noSpeechProbability) = (
            segment.compressionRatio.rounded(toPlaces: 6), segment.noSpeechProbability.rounded(toPlaces: 6)
        )
    }
}

extension TranscriptionStreamEvent.Segment {
    init(_ segment: TranscriptSegment, index: Int) {
        self.init()
        (id, text) = ("seg_\(index)", segment.text)
        (start, end) = (segment.start.toMilliseconds, segment.end.toMilliseconds)
    }
}

extension TranscriptionLogprob {
    init(_ token: TranscriptToken) {
        self.init()
        self.token = String(decoding: token.bytes, as: UTF8.self)
        bytes = token.bytes.map { Int($0) }
        logprob = token.logprob.rounded(toPlaces: 6)
    }
}

extension Double {
    fileprivate func rounded(toPlaces places: Int) -> Double {
        let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
        return isFinite ? (self * scale).rounded() / scale : 0
    }

    /// Seconds without more digits than a recording has.
    fileprivate var toMilliseconds: Double { rounded(toPlaces: 3) }
}
