import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import OmniAPI
import Testing

@testable import OmniClient

/// What the client reads of sessions whose server says all at once.
@Suite("Realtime socket", .timeLimit(.minutes(10)))
struct RealtimeSocketTests {
    @Test("what comes in one piece with the answer to the handshake is read, also when the server is gone by then", arguments: [1, 3, 200])
    func eventsBesideTheHandshake(count: Int) async throws {
        let events = (0..<count).map { #"{"type":"error","error":{"message":"\#($0)","type":"invalid_request_error"}}"# }
        try await serving(events) { url in
            let client = OmniClient(OmniClient.Configuration(baseURL: url, environment: [:]))
            let messages = try await client.realtime.session { session in
                var messages: [String] = []
                for try await event in session.events { messages.append(event.error?.message ?? "none") }
                return messages
            }
            #expect(messages == (0..<count).map { "\($0)" })
        }
    }

    /// Runs `body` beside a server whose every byte, from the handshake's answer to the last close frame, goes out in one write.
    private func serving(_ events: [String], _ body: (String) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(OneWrite())
                let upgrader = NIOWebSocketServerUpgrader(shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) }) {
                    channel, _ in
                    for event in events {
                        channel.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: event)), promise: nil)
                    }
                    var code = ByteBuffer()
                    code.writeInteger(UInt16(1008))
                    channel.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: code), promise: nil)
                    channel.close(promise: nil)
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                    withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
            }
        }.bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body("http://127.0.0.1:\(server.localAddress?.port ?? 0)")
        } catch {
            try? await server.close()
            throw error
        }
        try await server.close()
    }
}

/// Holds what is written until the channel closes.
private final class OneWrite: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var held = ByteBuffer()

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var bytes = unwrapOutboundIn(data)
        held.writeBuffer(&bytes)
        promise?.succeed()
    }

    func flush(context: ChannelHandlerContext) {}

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        context.writeAndFlush(wrapOutboundOut(held), promise: nil)
        held.clear()
        context.close(mode: mode, promise: promise)
    }
}
