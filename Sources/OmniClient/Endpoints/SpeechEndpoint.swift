import Foundation
import OmniAPI

extension OmniClient {
    /// `/v1/audio/speech`.
    public var speech: Speech { Speech(transport: transport) }
    /// `/v1/audio/voices`.
    public var voices: Voices { Voices(transport: transport) }

    public struct Speech: Sendable {
        let transport: Transport

        /// A whole sound file, in the request's format; its headers stand in ``ByteStream/header(_:)``.
        public func create(_ request: SpeechRequest, _ options: CallOptions = CallOptions()) async throws -> ByteStream {
            var request = request
            request.stream = false
            request.streamFormat = nil
            return try await transport.bytes(.post("/v1/audio/speech", request, always: Self.format(request), options))
        }

        /// Sound while it is made, in any format; `wav` stands behind a header that knows no length, and the rate of `pcm` in
        /// ``ByteStream/sampleRate``.
        public func stream(_ request: SpeechRequest, _ options: CallOptions = CallOptions()) async throws -> ByteStream {
            var request = request
            request.stream = false
            request.streamFormat = .audio
            return try await transport.bytes(.post("/v1/audio/speech", request, always: Self.format(request), options))
        }

        /// The same as events, with the token counts at the end. An error event is thrown.
        public func events(_ request: SpeechRequest, _ options: CallOptions = CallOptions()) async throws -> EventStream<SpeechStreamEvent>
        {
            var request = request
            // By itself it asks for events; OpenAI's server knows no `stream` here.
            request.stream = false
            request.streamFormat = .sse
            return EventStream(
                try await transport.send(.post("/v1/audio/speech", request, always: Self.format(request), options)),
                decode: { _, json in
                    guard let event = try SpeechStreamEvent(json: json) else { return [] }
                    if case .error = event { throw OmniError(json: json, status: nil, requestID: nil) }
                    return [event]
                },
                whole: { _ in throw OmniError(.unreadable, "The server does not stream speech as events.") })
        }

        /// Several texts in one request. It succeeds as a whole; each result says how it went.
        public func batch(_ request: SpeechBatchRequest, _ options: CallOptions = CallOptions()) async throws -> SpeechBatchReply {
            try await transport.json(.post("/v1/audio/speech/batch", request, options))
        }

        /// Told always: OpenAI's default is another.
        private static func format(_ request: SpeechRequest) -> [(String, JSONValue)] {
            [("response_format", .string(request.responseFormat.rawValue))]
        }
    }

    public struct Voices: Sendable {
        let transport: Transport

        public func list(_ options: CallOptions = CallOptions()) async throws -> VoiceList {
            try await transport.json(.get("/v1/audio/voices", options))
        }

        /// Keeps a voice to be imitated.
        ///
        /// - Parameter sample: 1 to 30 seconds of it, at most 10 MiB; nil where `voice` has an embedding.
        public func upload(_ voice: VoiceUpload, sample: Upload?, _ options: CallOptions = CallOptions()) async throws -> UploadedVoice {
            let files = sample.map { [(name: "audio_sample", upload: $0)] } ?? []
            return try await transport.json(.form("/v1/audio/voices", voice, files: files, options), as: VoiceUploadReply.self).voice
        }

        /// Forgets an uploaded voice.
        @discardableResult
        public func delete(_ name: String, _ options: CallOptions = CallOptions()) async throws -> VoiceDeletionReply {
            try await transport.json(.delete("/v1/audio/voices/\(Call.escape(name))", options))
        }
    }
}
