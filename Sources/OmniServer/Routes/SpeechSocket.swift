import Foundation
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

extension GatewayRoutes {
    /// The WebSockets of the gateway.
    public var sockets: WebSocketRoutes {
        var sockets = WebSocketRoutes()
        sockets.add("/v1/audio/speech/stream", "Text piece by piece in, speech out: session.config, input.text, input.done.") { session in
            try await SpeechSocket(session: session, routes: self).run()
        }
        return sockets
    }
}

/// `/v1/audio/speech/stream`: text comes in piece by piece, every unit of it goes out as sound as soon as it is complete
/// (API.md, section 12).
private actor SpeechSocket {
    private let session: WebSocketSession
    private let routes: GatewayRoutes
    private var configuration: SpeechSocketConfiguration?
    private var splitter = SentenceSplitter()
    private var utterance = 0
    private var units = 0
    /// Text has come since the last `input.done`.
    private var isOpen = false
    private var entry: CatalogueEntry?
    private var lastMessage = ContinuousClock.now

    init(session: WebSocketSession, routes: GatewayRoutes) {
        self.session = session
        self.routes = routes
    }

    /// Bytes of a configuration, which may hold a sample, and of any other message.
    private static let longestConfiguration = 4 << 20
    private static let longestMessage = 128 << 10
    private static let configurationDeadline = Duration.seconds(10)
    private static let idleLimit = Duration.seconds(30)

    func run() async throws {
        guard (try? routes.gateway.catalogue.entry(named: nil, kinds: [.speech], task: "speech")) != nil else {
            try await fail("Streaming speech is not available")
            return try await session.close(code: 1000)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.watchForSilence() }
            group.addTask {
                try await self.session.forEachMessage(maximumBytes: Self.longestConfiguration) { try await self.handle($0) }
            }
            // Whoever ends first, the client or the clock, ends the socket.
            try await group.next()
            group.cancelAll()
        }
    }

    private func watchForSilence() async throws {
        while true {
            let limit = configuration == nil ? Self.configurationDeadline : Self.idleLimit
            let silence = ContinuousClock.now - lastMessage
            guard silence < limit else { return try await fail(configuration == nil ? "No session.config came in time" : "Idle timeout") }
            try await Task.sleep(for: limit - silence)
        }
    }

    /// False ends the socket.
    private func handle(_ message: WebSocketSession.Message) async throws -> Bool {
        defer { lastMessage = .now }
        guard case .text(let text) = message, let json = try? JSONValue.parse(text), case .object = json, let type = json["type"]?.stringValue else {
            try await fail("Messages must be JSON objects with a type")
            return configuration != nil
        }
        guard configuration != nil || type == "session.config" else {
            try await fail("The first message must be session.config")
            return false
        }
        if type != "session.config", text.unicodeScalars.count > Self.longestMessage {
            try await fail("\(type) message too large")
            return true
        }
        switch type {
        case "session.config": return try await configure(json)
        case "input.text":
            guard let piece = json["text"]?.stringValue else {
                try await fail("input.text needs a string `text`")
                return true
            }
            isOpen = true
            for unit in splitter.push(piece) { try await speak(unit) }
        case "input.done":
            for unit in splitter.flush() { try await speak(unit) }
            try await send(["type": "session.done", "utterance_index": .int(utterance), "total_sentences": .int(units)])
            utterance += 1
            units = 0
            isOpen = false
        case "session.close":
            try await session.close(code: 1000)
            return false
        default: try await fail("Unknown message type: \(type)")
        }
        return true
    }

    private func configure(_ json: JSONValue) async throws -> Bool {
        let isFirst = configuration == nil
        do {
            guard !isOpen else { throw APIError(.invalidRequest, "session.config cannot change while an utterance is open") }
            let new = try SpeechSocketConfiguration(json: json)
            let entry = try routes.gateway.catalogue.entry(named: new.model, kinds: [.speech], task: "speech")
            var members = json.objectValue ?? JSONObject()
            for key in ["type", "stream_audio", "split_granularity", "model"] { members[key] = nil }
            configuration = new
            configuration?.members = try await routes.voices.prepare(members, for: entry, in: routes.gateway.catalogue).members
            self.entry = entry
            splitter = SentenceSplitter(new.splitGranularity)
            return true
        } catch let error as APIError {
            try await fail(error.fullMessage)
            return !isFirst
        }
    }

    /// One unit through the model, told before and after.
    private func speak(_ text: String) async throws {
        guard let configuration, let entry else { return }
        let index = units
        units += 1
        var start = JSONObject([
            ("type", "audio.start"), ("utterance_index", .int(utterance)), ("sentence_index", .int(index)), ("sentence_text", .string(text)),
            ("format", .string(configuration.responseFormat.rawValue)),
        ])
        if configuration.streamAudio { start["sample_rate"] = configuration.sampleRate.map { .int($0) } ?? .null }
        try await send(.object(start))
        var total = 0
        var failed = false
        do {
            var members = configuration.members
            members["input"] = .string(text)
            if configuration.streamAudio { members["stream_format"] = "audio" }
            let request = UpstreamRequest(
                method: "POST", path: "/v1/audio/speech", headers: [("Content-Type", "application/json")],
                body: ByteBuffer(bytes: JSONValue.object(members).jsonBytes))
            let reply = try await entry.backend.send(request)
            guard reply.status == 200 else { throw APIError(.internalError, try await Self.message(of: reply)) }
            var file: [UInt8] = []
            for try await chunk in reply.body {
                total += chunk.readableBytes
                if configuration.streamAudio { try await session.send(binary: Array(chunk.readableBytesView)) } else { file += chunk.readableBytesView }
            }
            if !configuration.streamAudio { try await session.send(binary: file) }
        } catch let error where !(error is CancellationError) {
            failed = true
            var message = JSONObject([
                ("type", "error"),
                ("message", .string("Generation failed for utterance \(utterance), sentence \(index): \((error as? APIError)?.message ?? "the model's worker broke")")),
            ])
            if total > 0 {
                message["partial_audio"] = true
                message["action"] = "discard"
            }
            try await send(.object(message))
        }
        try await send([
            "type": "audio.done", "utterance_index": .int(utterance), "sentence_index": .int(index), "total_bytes": .int(total), "error": .bool(failed),
        ])
    }

    private static func message(of reply: UpstreamResponse) async throws -> String {
        let text = try await reply.text(upTo: 1 << 16)
        return (try? JSONValue.parse(text))?["error"]?["message"]?.stringValue ?? "status \(reply.status)"
    }

    private func send(_ json: JSONValue) async throws { try await session.send(text: json.jsonText) }
    private func fail(_ message: String) async throws { try await send(["type": "error", "message": .string(message)]) }
}

/// `session.config`: the fields that this side reads; the rest goes to the model with each unit.
private struct SpeechSocketConfiguration: WireObject {
    var model: String?
    var responseFormat = AudioFormat.wav
    var sampleRate: Int?
    var speed = 1.0
    var streamAudio = false
    var splitGranularity = SplitGranularity.none
    /// What each unit's request begins with.
    var members = JSONObject()

    static var fields: [Field<SpeechSocketConfiguration>] {
        [
            .optional("model", \.model, .string), .with(default: .wav, "response_format", \.responseFormat, .choice),
            .optional("sample_rate", \.sampleRate, .integer(8000...48_000)), .with(default: 1, "speed", \.speed, .number(0.25...4)),
            .with(default: false, "stream_audio", \.streamAudio, .bool), .with(default: .none, "split_granularity", \.splitGranularity, .choice),
        ]
    }

    func validate(at path: WirePath) throws {
        if streamAudio, responseFormat != .pcm { throw APIError.field(path.appending("stream_audio"), "needs response_format pcm.") }
    }
}
