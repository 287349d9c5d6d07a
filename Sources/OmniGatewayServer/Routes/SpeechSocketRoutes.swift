import Foundation
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// The WebSocket of speech.
struct SpeechSocketRoutes: Sendable {
    let catalogue: Catalogue
    let voices: VoiceResolver

    func add(to sockets: inout WebSocketRoutes) {
        sockets.add("/v1/audio/speech/stream", "Text piece by piece in, speech out: session.config, input.text, input.done.") { session in
            try await SpeechSocket(session: session, catalogue: catalogue, voices: voices).run()
        }
    }
}

/// `/v1/audio/speech/stream`: text comes in piece by piece, every unit of it goes out as sound as soon as it is complete
/// (API.md, section 12).
actor SpeechSocket {
    private let session: WebSocketSession
    private let catalogue: Catalogue
    private let voices: VoiceResolver
    private var configuration: SpeechSessionConfig?
    /// What each unit's request begins with.
    private var members = JSONObject()
    private var splitter = SentenceSplitter()
    private var utterance = 0
    private var units = 0
    /// Characters of the utterance so far.
    private var characters = 0
    /// Text has come since the last `input.done`.
    private var isOpen = false
    private var entry: CatalogueEntry?
    private var silence: SilenceWatch

    init(session: WebSocketSession, catalogue: Catalogue, voices: VoiceResolver, limits: SilenceWatch.Limits = SilenceWatch.Limits()) {
        self.session = session
        self.catalogue = catalogue
        self.voices = voices
        silence = SilenceWatch(limits, now: .now)
    }

    func run() async throws {
        guard (try? catalogue.entry(named: nil, able: [.speech], task: "speech")) != nil else {
            try await fail("Streaming speech is not available")
            return try await session.close(code: 1000)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.watchForSilence() }
            group.addTask {
                try await self.session.forEachMessage(maximumBytes: SpeechSessionMessage.longestConfig) { try await self.handle($0) }
            }
            // Whoever ends first, the client or the clock, ends the socket.
            try await group.next()
            group.cancelAll()
        }
    }

    private func watchForSilence() async throws {
        while true {
            let (wait, deadline) = silence.deadline
            guard ContinuousClock.now < deadline else {
                switch wait {
                case .configuration: return try await fail("No session.config came in time")
                case .message: return try await fail("Idle timeout")
                // Who takes nothing would not take the reason either.
                case .progress: return
                }
            }
            // It may come nearer meanwhile, when the last text is spoken.
            try await Task.sleep(until: min(deadline, .now + .seconds(1)), clock: .continuous)
        }
    }

    /// False ends the socket. What is wrong with the first message ends it; later faults are told and change nothing.
    private func handle(_ frame: WebSocketSession.Message) async throws -> Bool {
        silence.began(at: .now)
        defer { silence.ended(at: .now, isConfigured: configuration != nil) }
        let isFirst = configuration == nil
        do {
            guard case .text(let text) = frame else { throw APIError(.badRequest, "Messages must be JSON objects with a type") }
            let message = try SpeechSessionMessage(frame: text)
            if isFirst, case .config = message {
            } else if isFirst {
                throw APIError(.badRequest, "The first message must be session.config")
            }
            return try await obey(message, text)
        } catch let error as APIError {
            try await fail(error.fullMessage)
            return !isFirst
        }
    }

    private func obey(_ message: SpeechSessionMessage, _ frame: String) async throws -> Bool {
        switch message {
        case .config(let config): try await configure(config, JSONValue.parse(frame).objectValue ?? JSONObject())
        case .text(let piece):
            guard characters + piece.count <= SpeechSessionMessage.longestUtterance else {
                throw APIError(
                    .tooLarge, "An utterance may have \(SpeechSessionMessage.longestUtterance) characters", remedy: "Send input.done first."
                )
            }
            characters += piece.count
            isOpen = true
            for unit in splitter.push(piece) { try await speak(unit) }
        case .done:
            for unit in splitter.flush() { try await speak(unit) }
            try await send(.sessionDone(utterance: utterance, totalSentences: units))
            utterance += 1
            units = 0
            characters = 0
            isOpen = false
        case .close:
            try await session.close(code: 1000)
            return false
        }
        return true
    }

    private func configure(_ config: SpeechSessionConfig, _ fields: JSONObject) async throws {
        guard !isOpen else { throw APIError(.invalidRequest, "session.config cannot change while an utterance is open") }
        let entry = try catalogue.entry(named: config.request.model, able: [.speech], task: "speech")
        var fields = fields
        for key in ["type", "stream_audio", "split_granularity", "model"] { fields[key] = nil }
        members = try await voices.prepare(fields, for: entry, in: catalogue).members
        configuration = config
        self.entry = entry
        splitter = SentenceSplitter(config.splitGranularity)
    }

    /// One unit through the model, told before and after.
    private func speak(_ text: String) async throws {
        guard let configuration, let entry else { return }
        let index = units
        units += 1
        try await send(
            .audioStart(
                utterance: utterance, sentence: index, text: text, format: configuration.request.responseFormat,
                sampleRate: configuration.streamAudio ? rate(configuration, entry) : nil))
        var total = 0
        var failed = false
        do {
            var members = members
            members["input"] = .string(text)
            if configuration.streamAudio { members["stream_format"] = "audio" }
            let reply = try await entry.backend.send(UpstreamRequest(posting: .object(members), to: "/v1/audio/speech"))
            guard reply.status == 200 else { throw APIError(.internalError, try await Self.message(of: reply)) }
            var file: [UInt8] = []
            for try await chunk in reply.body {
                total += chunk.readableBytes
                if configuration.streamAudio {
                    try await session.send(binary: Array(chunk.readableBytesView))
                } else {
                    file += chunk.readableBytesView
                }
                silence.progressed(at: .now)
            }
            if !configuration.streamAudio { try await session.send(binary: file) }
        } catch let error where !(error is CancellationError) {
            failed = true
            let reason = (error as? APIError)?.message ?? "the model's worker broke"
            try await send(.error("Generation failed for utterance \(utterance), sentence \(index): \(reason)", partialAudio: total > 0))
        }
        try await send(.audioDone(utterance: utterance, sentence: index, totalBytes: total, failed: failed))
    }

    /// Hz of sound in pieces. A server elsewhere has a rate of its own where none is asked for.
    private func rate(_ configuration: SpeechSessionConfig, _ entry: CatalogueEntry) -> Int? {
        entry.kind == nil ? configuration.request.sampleRate ?? entry.backend.status.sampleRate : configuration.request.replyRate
    }

    private static func message(of reply: UpstreamResponse) async throws -> String {
        let text = try await reply.text(upTo: 1 << 16)
        return (try? JSONValue.parse(text))?["error"]?["message"]?.stringValue ?? "status \(reply.status)"
    }

    private func send(_ event: SpeechSessionEvent) async throws { try await session.send(text: event.json.jsonText) }
    private func fail(_ message: String) async throws { try await send(.error(message)) }
}
