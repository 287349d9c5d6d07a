import AsyncHTTPClient
import Foundation
import NIOCore
import NIOWebSocket
import OmniAPI
import OmniEngine
import OmniStore
import Testing

@testable import OmniGateway
@testable import OmniGatewayServer
@testable import OmniHTTP

/// A voice whose sound comes as the test gives it.
private final class SlowVoice: Backend {
    let status: BackendStatus
    let outstanding = 0
    let sound: AsyncStream<ByteBuffer>.Continuation
    private let reply: UpstreamResponse

    init() {
        var status = BackendStatus(state: .ready, root: "")
        status.capabilities = [.speech]
        status.voices = ["ann"]
        status.sampleRate = 24_000
        self.status = status
        let (stream, sound) = AsyncStream.makeStream(of: ByteBuffer.self)
        self.sound = sound
        reply = UpstreamResponse(status: 200, headers: [], body: UpstreamBody(.stream(stream)))
    }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse { reply }
    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}
}

@Suite("The socket of speech", .timeLimit(.minutes(10)))
struct SpeechSocketTests {
    private typealias Inbound = NIOAsyncChannelInboundStream<WebSocketFrame>
    private typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

    private func frame(_ text: String) -> WebSocketFrame {
        let mask: [UInt8] = [1, 2, 3, 4]
        let data = ByteBuffer(bytes: text.utf8.enumerated().map { $1 ^ mask[$0 % 4] })
        return WebSocketFrame(fin: true, opcode: .text, maskKey: WebSocketMaskingKey(mask), data: data)
    }

    @Test("a text that takes longer to speak than a session may be silent is spoken to its end; then silence ends it")
    func longText() async throws {
        let (inbound, source) = Inbound.makeTestingStream()
        let (outbound, sent) = Outbound.makeTestingWriter()
        let voice = SlowVoice()
        let socket = SpeechSocket(
            session: WebSocketSession(inbound: inbound, outbound: outbound),
            catalogue: try Catalogue([CatalogueEntry(id: "joe", kind: .speech, backend: voice)]),
            voices: VoiceResolver(store: MemoryVoiceStore()),
            limits: SilenceWatch.Limits(configuration: .seconds(600), idle: .milliseconds(200), stall: .seconds(600)))
        let running = Task { try await socket.run() }
        for message in [
            #"{"type":"session.config","response_format":"pcm","stream_audio":true}"#, #"{"type":"input.text","text":"Hello."}"#,
            #"{"type":"input.done"}"#,
        ] {
            source.yield(frame(message))
        }
        var frames = sent.makeAsyncIterator()
        /// The session pings its client, too.
        func next() async -> WebSocketFrame? {
            while let frame = await frames.next() { if frame.opcode != .ping { return frame } }
            return nil
        }
        func event() async throws -> JSONValue {
            let frame = try #require(await next())
            #expect(frame.opcode == .text)
            return try JSONValue.parse(String(buffer: frame.unmaskedData))
        }
        #expect(try await event()["type"] == "audio.start")
        // Twice a second for three seconds, fifteen times the limit: what is tested is time.
        for _ in 0..<6 {
            try await Task.sleep(for: .milliseconds(500))
            voice.sound.yield(ByteBuffer(bytes: [1, 2]))
            #expect(await next()?.opcode == .binary, "the session was cut while it spoke")
        }
        voice.sound.finish()
        #expect(try await event()["type"] == "audio.done")
        #expect(try await event()["type"] == "session.done")
        let end = try await event()
        #expect(end["type"] == "error" && end["message"] == "Idle timeout")
        try await running.value
    }
}
