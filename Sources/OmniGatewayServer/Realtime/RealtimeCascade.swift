import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// The models of a realtime session: a transcription model, a chat model and a voice, each behind its backend.
struct RealtimeCascade: Sendable {
    let catalogue: Catalogue
    let voices: VoiceResolver
    let pipelines: [SpeechPipeline]
    /// Nil where only speech is written down.
    let chat: CatalogueEntry?
    /// Nil where no voice is served: answers are text.
    let speech: CatalogueEntry?
    /// The model that writes down where the session names none. Nil where none is served: sound is refused.
    let transcription: CatalogueEntry?
    /// Of the requests that a session makes.
    let requestID = RequestID.make()
    let logger: Logger

    /// The models that are served, with the chat model, pipeline or transcription model named. Throws 404 where that is not there, or
    /// neither a chat model nor one that transcribes.
    init(_ catalogue: Catalogue, _ voices: VoiceResolver, _ pipelines: [SpeechPipeline], model: String?, logger: Logger) throws {
        (self.catalogue, self.voices, self.pipelines) = (catalogue, voices, pipelines)
        let pipeline = pipelines.first { $0.id == model }
        let entry = try catalogue.entry(named: pipeline?.chat ?? model, able: [.chat, .transcription], task: "chat")
        chat = entry.can(.chat) ? entry : nil
        speech = try? catalogue.entry(named: pipeline?.speech, able: [.speech], task: "speech")
        transcription = try? catalogue.entry(named: chat == nil ? entry.id : nil, able: [.transcription], task: "transcription")
        var logger = logger
        logger[metadataKey: "request_id"] = .string(requestID)
        self.logger = logger
    }

    /// The same models, but for the one named.
    func with(model: String) throws -> RealtimeCascade { try RealtimeCascade(catalogue, voices, pipelines, model: model, logger: logger) }

    /// The settings that a session begins with.
    var settings: RealtimeSession {
        var session = RealtimeSession()
        session.model = (chat ?? transcription)?.id
        if chat == nil { session.kind = .transcription }
        session.modalities = [speech == nil ? .text : .audio]
        return session
    }

    /// Throws what of a session's settings cannot be served: a model or a voice that is not there.
    func check(_ session: RealtimeSession) async throws {
        if let name = session.model, !((chat ?? transcription)?.names.contains(name) ?? false) {
            throw APIError.invalid("session.model", "The model of a session is chosen when it begins: `?model=\(name)`.")
        }
        if let name = session.audio.input.transcription?.model {
            try Self.naming("session.audio.input.transcription.model") { _ = try recognizer(named: name) }
        }
        if chat == nil, session.kind == .realtime {
            throw APIError.invalid("session.type", "No chat model answers here: the type must be transcription.")
        }
        guard session.speaks, session.kind == .realtime else { return }
        do {
            try await checkVoice(session.audio.output)
        } catch var error as APIError {
            error.param = error.param == "model" ? "session.output_modalities" : "session.audio.output.voice"
            throw error
        }
    }

    /// Errors of `body` are of this member of the session.
    private static func naming(_ param: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch var error as APIError {
            error.param = param
            throw error
        }
    }

    private func checkVoice(_ output: RealtimeAudioSettings.Output) async throws {
        let speech = try speaker()
        _ = try await voices.prepare(members(output), for: speech, in: catalogue)
    }

    private func speaker() throws -> CatalogueEntry {
        if let speech { return speech }
        return try catalogue.entry(named: nil, able: [.speech], task: "speech")
    }

    private func recognizer(named name: String?) throws -> CatalogueEntry {
        if name == nil, let transcription { return transcription }
        return try catalogue.entry(named: name, able: [.transcription], task: "transcription")
    }

    /// Throws 404 where nothing that is served transcribes.
    func checkTranscription() throws { _ = try recognizer(named: nil) }

    // MARK: Transcribing

    /// Writes a sound file down. `take` gets each piece of the text as it is known. Throws ``APIError``.
    func transcribe(
        _ file: [UInt8], _ asked: RealtimeTranscription?, _ take: @Sendable (String) async throws -> Void
    ) async throws -> TranscriptionStreamEvent.Done {
        let entry = try recognizer(named: asked?.model)
        var form = MultipartWriter()
        for (name, value) in [
            ("language", asked?.language), ("prompt", asked?.prompt), ("response_format", "json"), ("stream", "true"),
            // Another server may refuse a field of ours.
            ("low_latency", entry.kind == nil ? nil : "true"),
        ] {
            if let value { form.add(name, text: value) }
        }
        form.add(TranscriptionRequest.fileName, fileName: "speech.wav", contentType: "audio/wav", file)
        let request = UpstreamRequest(
            method: "POST", path: "/v1/audio/transcriptions", headers: [("Content-Type", form.contentType), ("X-Request-Id", requestID)],
            body: ByteBuffer(bytes: form.body))
        let reply = try await entry.backend.send(request).orError()
        return try await entry.reading(logger) {
            for try await data in SSEData(reply.body) {
                switch try TranscriptionStreamEvent(json: try JSONValue.event(data)) {
                case .delta(let text, _): try await take(text)
                case .done(let done): return done
                case .segment, nil: break
                }
            }
            throw APIError(.internalError, "The transcription ended early.")
        }
    }

    // MARK: Answering

    /// Asks the chat model. Throws its error.
    func answer(_ request: ChatCompletionRequest, _ take: @Sendable (ChatCompletionChunk) async throws -> Void) async throws {
        let upstream = ChatUpstream(catalogue: catalogue)
        let chat = try chat ?? upstream.entry(named: nil, task: "chat")
        var request = request
        request.model = nil
        let reply = try await upstream.send(request.json, to: "/v1/chat/completions", chat, requestID: requestID)
        try await upstream.read(reply, of: chat, logger: logger, take)
    }

    /// Speaks a sentence; `take` gets its sound piece by piece, in the form asked for.
    func speak(_ text: String, _ output: RealtimeAudioSettings.Output, _ take: @Sendable ([UInt8]) async throws -> Void) async throws {
        let entry = try speaker()
        var members = try await voices.prepare(members(output), for: entry, in: catalogue).members
        members["input"] = .string(text)
        members["response_format"] = .string(AudioFormat.pcm.rawValue)
        members["stream_format"] = "audio"
        members["sample_rate"] = .int(output.format.sampleRate)
        if output.speed != 1 { members["speed"] = .number(output.speed) }
        let request = UpstreamRequest(posting: .object(members), to: "/v1/audio/speech", requestID: requestID)
        let reply = try await entry.backend.send(request).orError()
        try await entry.reading(logger) {
            var rest: [UInt8] = []
            for try await chunk in reply.body {
                rest += chunk.readableBytesView
                let whole = rest.count / 2 * 2
                try await take(output.format.coded(pcm: Array(rest[..<whole])))
                rest.removeFirst(whole)
            }
        }
    }

    private func members(_ output: RealtimeAudioSettings.Output) -> JSONObject {
        JSONObject(output.voice.map { [("voice", .string($0))] } ?? [])
    }
}
