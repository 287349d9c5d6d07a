import Foundation
import OmniAPI

/// What a stream of a transcription brings.
public enum TranscriptionUpdate: Sendable, Equatable {
    /// Everything before this second has been heard, of so many where the file says. From swift-omni only.
    case heard(seconds: Double, of: Double?)
    /// What is said next: all of them joined are the transcript.
    case text(String)
    /// The same with its times; with `verbose_json` only.
    case segment(TranscriptionStreamEvent.Segment)
    /// The last one.
    case done(TranscriptionStreamEvent.Done)
}

extension OmniClient {
    /// All that has to do with sound, by OpenAI's names.
    public var audio: Audio { Audio(client: self) }
    /// `/v1/audio/transcriptions`.
    public var transcriptions: Transcriptions { Transcriptions(transport: transport, path: "/v1/audio/transcriptions") }
    /// `/v1/audio/translations`: into English.
    public var translations: Transcriptions { Transcriptions(transport: transport, path: "/v1/audio/translations") }

    public struct Audio: Sendable {
        let client: OmniClient

        public var speech: Speech { client.speech }
        public var voices: Voices { client.voices }
        public var transcriptions: Transcriptions { client.transcriptions }
        public var translations: Transcriptions { client.translations }
    }

    public struct Transcriptions: Sendable {
        let transport: Transport
        let path: String

        /// The words of a sound file. A server without an able model answers 404.
        public func create(
            _ sound: Upload, model: String? = nil, language: String? = nil, prompt: String? = nil, _ options: CallOptions = CallOptions()
        )
            async throws -> String
        {
            var request = TranscriptionRequest()
            (request.model, request.language, request.prompt) = (model, language, prompt)
            return try await transport.json(form(sound, request, options), as: TranscriptionReply.self).text
        }

        /// Words with language, segments and, where `granularities` ask for them, times of words.
        public func verbose(
            _ sound: Upload, _ request: TranscriptionRequest = TranscriptionRequest(), _ options: CallOptions = CallOptions()
        )
            async throws -> VerboseTranscription
        {
            var request = request
            (request.format, request.stream) = (.verboseJSON, false)
            return try await transport.json(form(sound, request, options))
        }

        /// A plain text, or subtitles.
        ///
        /// - Parameter format: `text`, `srt` or `vtt`.
        public func text(
            _ sound: Upload, as format: TranscriptionRequest.Format, _ request: TranscriptionRequest = TranscriptionRequest(),
            _ options: CallOptions = CallOptions()
        )
            async throws -> String
        {
            var request = request
            (request.format, request.stream) = (format, false)
            return String(decoding: try await transport.bytes(form(sound, request, options)).collect(), as: UTF8.self)
        }

        /// The words while they are heard; with `verbose_json` as `format` also segments with their times.
        public func stream(
            _ sound: Upload, _ request: TranscriptionRequest = TranscriptionRequest(), _ options: CallOptions = CallOptions()
        )
            async throws -> EventStream<TranscriptionUpdate>
        {
            var request = request
            request.stream = true
            return EventStream(
                try await transport.send(form(sound, request, options)),
                read: { item in
                    switch item {
                    case .comment(let text): return .elements(TranscriptionUpdate(comment: text).map { [$0] } ?? [])
                    case .event(let event):
                        guard event.data != "[DONE]" else { return .end }
                        let json = try JSONValue.parse(event.data)
                        if let error = json["error"], !error.isNull { throw OmniError(json: json, status: nil, requestID: nil) }
                        return .elements(try TranscriptionStreamEvent(json: json).map { [TranscriptionUpdate($0)] } ?? [])
                    }
                },
                whole: { json in
                    // whisper-1 does not stream.
                    var done = TranscriptionStreamEvent.Done()
                    done.text = try TranscriptionReply(json: json, at: .root("reply")).text
                    return [.text(done.text), .done(done)]
                })
        }

        private func form(_ sound: Upload, _ request: TranscriptionRequest, _ options: CallOptions) -> Call {
            .form(path, request, files: [(TranscriptionRequest.fileName, sound)], repeatsLists: true, options)
        }
    }
}

extension TranscriptionUpdate {
    init(_ event: TranscriptionStreamEvent) {
        switch event {
        case .delta(let text, _): self = .text(text)
        case .segment(let segment): self = .segment(segment)
        case .done(let done): self = .done(done)
        }
    }

    /// `heard 12.5/600.0`.
    init?(comment: String) {
        let words = comment.split(separator: " ")
        guard words.count == 2, words[0] == "heard" else { return nil }
        let numbers = words[1].split(separator: "/").map { Double($0) }
        guard let seconds = numbers.first ?? nil else { return nil }
        self = .heard(seconds: seconds, of: numbers.count > 1 ? numbers[1] : nil)
    }
}
