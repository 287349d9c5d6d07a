import NIOCore
import NIOWebSocket
import OmniEngine
import Testing

@testable import OmniHTTP

@Suite("One WebSocket", .timeLimit(.minutes(10)))
struct WebSocketSessionTests {
    private typealias Inbound = NIOAsyncChannelInboundStream<WebSocketFrame>
    private typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

    private let session: WebSocketSession
    private let source: Inbound.TestSource
    private let sent: Outbound.TestSink

    init() {
        let (inbound, source) = Inbound.makeTestingStream()
        let (outbound, sent) = Outbound.makeTestingWriter()
        session = WebSocketSession(inbound: inbound, outbound: outbound)
        (self.source, self.sent) = (source, sent)
    }

    private func fromClient(_ opcode: WebSocketOpcode, _ text: String = "") {
        source.yield(WebSocketFrame(fin: true, opcode: opcode, maskKey: [1, 2, 3, 4], data: masked(text)))
    }

    private func masked(_ text: String) -> ByteBuffer {
        ByteBuffer(bytes: text.utf8.enumerated().map { $1 ^ UInt8($0 % 4 + 1) })
    }

    @Test("the server pings a silent client by itself, again and again, and answers the client's pings")
    func pings() async throws {
        let session = session
        let pings = WebSocketSession.Pings(interval: .milliseconds(1), longestSilence: .seconds(36000))
        let running = Task { try await session.forEachMessage(maximumBytes: 100, pings: pings) { _ in true } }
        var frames = sent.makeAsyncIterator()
        for _ in 0..<3 { #expect(await frames.next()?.opcode == .ping) }
        fromClient(.pong)
        fromClient(.ping, "abc")
        var answer: WebSocketFrame?
        while answer == nil {
            let frame = try #require(await frames.next())
            if frame.opcode == .pong { answer = frame } else { #expect(frame.opcode == .ping) }
        }
        #expect(answer.map { String(buffer: $0.unmaskedData) } == "abc")
        source.finish()
        try await running.value
    }

    @Test("a client that says nothing, no pong either, counts as gone")
    func silence() async throws {
        let pings = WebSocketSession.Pings(interval: .milliseconds(1), longestSilence: .milliseconds(10))
        try await session.forEachMessage(maximumBytes: 100, pings: pings) { _ in true }
        #expect(await firstFrame()?.opcode == .ping)
    }

    private func firstFrame() async -> WebSocketFrame? {
        var frames = sent.makeAsyncIterator()
        return await frames.next()
    }

    @Test("messages come in order and whole; what is too long ends the socket with 1009")
    func messages() async throws {
        let session = session
        fromClient(.text, "one")
        source.yield(WebSocketFrame(fin: false, opcode: .text, maskKey: [1, 2, 3, 4], data: masked("t")))
        source.yield(WebSocketFrame(fin: true, opcode: .continuation, maskKey: [1, 2, 3, 4], data: masked("wo")))
        fromClient(.text, String(repeating: "x", count: 11))
        let heard = BoundedQueue<String>(limit: 100)
        try await session.forEachMessage(maximumBytes: 10) { message in
            if case .text(let text) = message { try await heard.put(text) }
            return true
        }
        heard.finish()
        let close = try #require(await firstFrame())
        #expect(close.opcode == .connectionClose && close.data.getInteger(at: close.data.readerIndex, as: UInt16.self) == 1009)
        // Whoever ends first ends the other: what came before may not have been taken.
        let first = try await heard.next()
        #expect(first == nil || first == "one")
    }
}
