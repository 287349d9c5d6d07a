import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import OmniGateway

/// A server that answers as a test says and tells of its connections.
private final class TestServer: Sendable {
    enum Behavior: Sendable { case answer, closeInstead, never, halfABody }

    let channel: any Channel
    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    init(_ behavior: Behavior) async throws {
        let counter = SharedCounts()
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                counter.counts.withLock { $0.opened += 1 }
                channel.closeFuture.whenComplete { _ in counter.counts.withLock { $0.closed += 1 } }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(behavior: behavior))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        shared = counter
    }

    private let shared: SharedCounts
    final class SharedCounts: Sendable { let counts = Mutex((opened: 0, closed: 0)) }
    var connections: (opened: Int, closed: Int) { shared.counts.withLock { $0 } }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        let behavior: Behavior
        init(behavior: Behavior) { self.behavior = behavior }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            switch behavior {
            case .never: break
            case .closeInstead: context.close(promise: nil)
            case .answer, .halfABody:
                let body = ByteBuffer(string: "hello")
                let length = behavior == .answer ? body.readableBytes : body.readableBytes + 10
                context.write(
                    wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: ["content-length": "\(length)"]))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                if behavior == .answer {
                    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                } else {
                    context.close(promise: nil)
                }
            }
        }
    }
}

@Suite("The way to a backend", .timeLimit(.minutes(10)))
struct UpstreamClientTests {
    private static let request = UpstreamRequest(method: "POST", path: "/v1/x?y=z", headers: [("X-A", "b")], body: ByteBuffer(string: "{}"))

    @discardableResult
    private func with<Result>(_ body: (UpstreamClient) async throws -> Result) async throws -> Result {
        let client = UpstreamClient(group: .singletonMultiThreadedEventLoopGroup)
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }

    @Test("an idle connection is let go before uvicorn, Node or gunicorn would close it under a request")
    func idle() async throws {
        let server = try await TestServer(.answer)
        try await with { client in
            let reply = try await client.send(Self.request, to: server.url)
            #expect(String(buffer: try await reply.body.collect(upTo: 100)) == "hello")
            let start = ContinuousClock.now
            while server.connections.closed == 0, ContinuousClock.now - start < .seconds(10) { try await Task.sleep(for: .milliseconds(5)) }
            // uvicorn's and Node's limit; ours is one second, and the machine may be busy.
            #expect(server.connections.closed == 1 && ContinuousClock.now - start < .seconds(5))
        }
        try await server.channel.close()
    }

    @Test(
        "nobody there is refused, before anything was sent", arguments: ["http://127.0.0.1:1", UpstreamClient.socketURL("/no/such/socket")])
    func refused(base: String) async throws {
        try await with { client in
            await #expect { _ = try await client.send(Self.request, to: base) } throws: {
                if case UpstreamFailure.refused = $0 { true } else { false }
            }
        }
    }

    @Test("a connection that breaks before the reply is broken, not refused: the request may have been served")
    func broken() async throws {
        let server = try await TestServer(.closeInstead)
        try await with { client in
            await #expect { _ = try await client.send(Self.request, to: server.url) } throws: {
                if case UpstreamFailure.broken = $0 { true } else { false }
            }
        }
        try await server.channel.close()
    }

    @Test("half a body is an error, never a short answer")
    func halfABody() async throws {
        let server = try await TestServer(.halfABody)
        try await with { client in
            let reply = try await client.send(Self.request, to: server.url)
            await #expect(throws: (any Error).self) { try await reply.body.collect(upTo: 100) }
        }
        try await server.channel.close()
    }

    @Test("one who gives up waiting is cancelled, and one who may wait only so long is told")
    func waiting() async throws {
        let server = try await TestServer(.never)
        try await with { client in
            let task = Task { try await client.send(Self.request, to: server.url) }
            while server.connections.opened == 0 { try await Task.sleep(for: .milliseconds(1)) }
            task.cancel()
            await #expect { _ = try await task.value } throws: { if case UpstreamFailure.cancelled = $0 { true } else { false } }
            await #expect { _ = try await client.send(Self.request, to: server.url, headTimeout: .milliseconds(50)) } throws: {
                if case UpstreamFailure.broken = $0 { true } else { false }
            }
        }
        try await server.channel.close()
    }
}
