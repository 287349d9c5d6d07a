import AsyncHTTPClient
import Foundation
import NIOCore
import NIOWebSocket
import OmniAPI
import OmniEngine
import OmniStore
import Synchronization
import Testing

@testable import OmniGateway
@testable import OmniGatewayServer
@testable import OmniHTTP

/// A model whose answers the test writes.
private final class ScriptedModel: Backend {
    let status: BackendStatus
    let outstanding = 0
    private let answers: Mutex<[Result<[String], APIError>]>
    /// Bodies of the requests that came.
    let asked = Mutex<[String]>([])

    /// - Parameter answers: the pieces of each answer's body, or why there is none.
    init(_ capability: ModelCapability, _ answers: Result<[String], APIError>...) {
        var status = BackendStatus(state: .ready, root: "")
        status.capabilities = [capability]
        self.status = status
        self.answers = Mutex(answers)
    }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        asked.withLock { $0.append(request.body.map { String(buffer: $0) } ?? "") }
        let pieces = try answers.withLock { $0.isEmpty ? .success([]) : $0.removeFirst() }.get()
        let (stream, body) = AsyncStream.makeStream(of: ByteBuffer.self)
        for piece in pieces { body.yield(ByteBuffer(string: piece)) }
        body.finish()
        return UpstreamResponse(status: 200, headers: [], body: UpstreamBody(.stream(stream)))
    }

    var kind: ModelKind {
        switch status.capabilities {
        case [.chat]: .text
        case [.transcription]: .transcription
        default: .speech
        }
    }

    /// Waits until it was asked so many times.
    func wasAsked(_ count: Int) async throws { while asked.withLock({ $0.count < count }) { try await Task.sleep(for: .milliseconds(5)) } }

    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}
}

@Suite("A realtime session on its socket", .timeLimit(.minutes(5)))
struct RealtimeConnectionTests {
    private typealias Inbound = NIOAsyncChannelInboundStream<WebSocketFrame>
    private typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

    private static func words(_ words: String...) -> [String] {
        words.map { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\($0)\"}}]}\n\n" } + ["data: [DONE]\n\n"]
    }

    /// A client of a session over scripted models.
    private struct Client {
        let source: Inbound.TestSource
        var frames: Outbound.TestSink.AsyncIterator
        let running: Task<Void, any Error>

        init(_ models: [(String, ScriptedModel)], limits: RealtimeConnection.Limits = .init()) throws {
            let (inbound, source) = Inbound.makeTestingStream()
            let (outbound, sent) = Outbound.makeTestingWriter()
            self.source = source
            frames = sent.makeAsyncIterator()
            let socket = WebSocketSession(inbound: inbound, outbound: outbound)
            let entries = models.map { CatalogueEntry(id: $0, kind: $1.kind, backend: $1) }
            let cascade = try RealtimeCascade(
                Catalogue(entries), VoiceResolver(store: MemoryVoiceStore()), [], model: nil, logger: socket.logger)
            let connection = RealtimeConnection(socket, cascade, settings: cascade.settings, dialect: .current, limits: limits)
            running = Task {
                await connection.begin()
                try await connection.run()
            }
        }

        func say(_ text: String) {
            let mask: [UInt8] = [1, 2, 3, 4]
            let data = ByteBuffer(bytes: text.utf8.enumerated().map { $1 ^ mask[$0 % 4] })
            source.yield(WebSocketFrame(fin: true, opcode: .text, maskKey: WebSocketMaskingKey(mask), data: data))
        }

        /// The next event; nil once the session is closed.
        mutating func next() async throws -> JSONObject? {
            while let frame = await frames.next() {
                if frame.opcode == .connectionClose { return nil }
                if frame.opcode == .text { return try JSONValue.parse(String(buffer: frame.unmaskedData)).objectValue }
            }
            return nil
        }

        mutating func next(_ type: String) async throws -> JSONObject {
            while let event = try await next() { if event["type"] == .string(type) { return event } }
            throw CancellationError()
        }
    }

    private static let question =
        #"{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}}"#

    @Test("sentences are spoken one by one, and a failure of one model costs one answer")
    func answers() async throws {
        let chat = ScriptedModel(
            .chat, .success(Self.words("One. ", "Two. ", "Three.")), .failure(APIError(.internalError, "The chat model died.")),
            .success(Self.words("Four.")))
        // Odd pieces of samples are joined.
        let voice = ScriptedModel(.speech, .success(["abc", "def"]), .success(["gh"]), .success(["ij"]), .success(["kl"]))
        var client = try Client([("chat", chat), ("voice", voice)])
        #expect(try await client.next()?["type"] == "session.created")
        client.say(Self.question)
        client.say(#"{"type":"response.create"}"#)
        var sound = Data()
        while let event = try await client.next(), event["type"] != "response.done" {
            if event["type"] == "response.output_audio.delta" { sound += Base64.decode(event["delta"]?.stringValue ?? "") ?? Data() }
        }
        #expect(String(decoding: sound, as: UTF8.self) == "abcdefghij")
        #expect(voice.asked.withLock { $0.map { (try? JSONValue.parse($0))?["input"] } } == ["One.", "Two.", "Three."])
        client.say(#"{"type":"response.create"}"#)
        let failed = try await client.next("response.done")["response"]
        #expect(failed?["status"] == "failed" && failed?["status_details"]?["error"]?["message"] == "The chat model died.")
        client.say(#"{"type":"response.create"}"#)
        #expect(try await client.next("response.done")["response"]?["status"] == "completed")
        #expect(chat.asked.withLock { $0.last }?.contains("One. Two. Three.") ?? false, "the first answer is part of the conversation")
        client.source.finish()
        try await client.running.value
    }

    private static func heard(_ text: String) -> Result<[String], APIError> {
        .success(["data: {\"type\":\"transcript.text.done\",\"text\":\"\(text)\"}\n\n", "data: [DONE]\n\n"])
    }

    /// µ-law.
    private static func silence(milliseconds: Int) -> [UInt8] { [UInt8](repeating: 0xFF, count: milliseconds * 8) }

    /// Three times the same word, without a pause.
    private static let speech: [UInt8] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/speech/weather.ulaw")
        let word = ((try? Data(contentsOf: file)) ?? Data()).dropFirst(320).prefix(1920)
        return Array(word) + Array(word) + Array(word)
    }()

    private static func append(_ sound: some Collection<UInt8>) -> String {
        #"{"type":"input_audio_buffer.append","audio":"\#(Data(sound).base64EncodedString())"}"#
    }

    private static let telephone =
        #"{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/pcmu"},"#
        + #""transcription":{"model":"ears"},"turn_detection":{"type":"server_vad","silence_duration_ms":700}}}}}"#

    @Test("an answer is begun in a pause, and is there when the turn is over")
    func headStart() async throws {
        let chat = ScriptedModel(
            .chat, .success(Self.words("It rains. ", "Take a coat.")), .success(Self.words("It rains. ", "Take a coat.")))
        let voice = ScriptedModel(.speech, .success(["ab"]), .success(["ab"]), .success(["cd"]), .success(["ef"]))
        let ears = ScriptedModel(.transcription, Self.heard("What is the weather?"), Self.heard("What is the weather? Please."))
        var client = try Client([("chat", chat), ("voice", voice), ("ears", ears)])
        #expect(try await client.next()?["type"] == "session.created")
        client.say(Self.telephone)
        client.say(Self.append(Self.silence(milliseconds: 400) + Self.speech + Self.silence(milliseconds: 400)))
        try await ears.wasAsked(1)
        try await chat.wasAsked(1)
        try await voice.wasAsked(1)
        // The user speaks on: what was begun was for nothing.
        client.say(Self.append(Self.speech + Self.silence(milliseconds: 400)))
        try await ears.wasAsked(2)
        try await chat.wasAsked(2)
        try await voice.wasAsked(2)
        client.say(Self.append(Self.silence(milliseconds: 1000)))
        var types: [String] = []
        var sound = Data()
        while let event = try await client.next(), let type = event["type"]?.stringValue {
            types.append(type)
            if type == "response.output_audio.delta" { sound += Base64.decode(event["delta"]?.stringValue ?? "") ?? Data() }
            if type.hasSuffix("transcription.completed") { #expect(event["transcript"] == "What is the weather? Please.") }
            if type == "response.done" { break }
        }
        #expect(types.count { $0 == "response.created" } == 1 && types.count { $0.hasSuffix("transcription.completed") } == 1)
        #expect(String(decoding: sound, as: UTF8.self) == "abcd")
        #expect(ears.asked.withLock(\.count) == 2 && chat.asked.withLock(\.count) == 2, "nothing is computed twice")
        #expect(voice.asked.withLock { $0.map { (try? JSONValue.parse($0))?["input"] } } == ["It rains.", "It rains.", "Take a coat."])
        client.source.finish()
        try await client.running.value
    }

    @Test("a session in which nobody says anything ends with the reason")
    func silence() async throws {
        var limits = RealtimeConnection.Limits()
        limits.silence.idle = .milliseconds(100)
        var client = try Client([("chat", ScriptedModel(.chat))], limits: limits)
        #expect(try await client.next()?["session"]?["output_modalities"] == ["text"], "there is no voice")
        let end = try await client.next("error")
        #expect(end["error"]?["message"]?.stringValue?.contains("Nothing was said") ?? false)
        #expect(try await client.next() == nil, "closed")
        try await client.running.value
    }

    @Test("keys for one client are known until their time is over")
    func secrets() throws {
        let secrets = RealtimeSecrets()
        let now = ContinuousClock.now
        let key = try secrets.make(JSONObject([("instructions", "Be kind.")]), seconds: 10, now: now)
        #expect(key.hasPrefix("ek_") && secrets.settings(of: key, now: now)?["instructions"] == "Be kind.")
        #expect(secrets.settings(of: key, now: now + .seconds(11)) == nil && secrets.settings(of: "ek_other", now: now) == nil)
    }
}
