import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on 127.0.0.1 that does as a test says, bad manners included.
package final class ScriptedServer: Sendable {
    package struct Request: Sendable {
        package var method: String
        package var path: String
        package var headers: [(String, String)]
        package var body: [UInt8]

        package func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
    }

    package enum Reply: Sendable {
        case answer(Int, headers: [(String, String)] = [], [UInt8] = [])
        /// A head that promises `length` bytes, which then come one every few milliseconds.
        case drip(length: Int)
        /// A head that promises more than the bytes which come before the connection is cut.
        case cut(Int, headers: [(String, String)] = [], [UInt8] = [])
        /// The connection is closed without an answer.
        case hangUp
        /// Nothing, for as long as the client waits.
        case silence

        package static func json(_ status: Int = 200, _ text: String, headers: [(String, String)] = []) -> Reply {
            .answer(status, headers: [("Content-Type", "application/json")] + headers, Array(text.utf8))
        }
    }

    private let channel: any Channel
    private let log: RequestLog

    package init(_ answer: @escaping @Sendable (Request) -> Reply) throws {
        let log = RequestLog()
        self.log = log
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptedHandler { request in
                            log.seen.withLock { $0.append(request) }
                            return answer(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit { channel.close(promise: nil) }

    package var port: Int { channel.localAddress?.port ?? 0 }
    package var url: String { "http://127.0.0.1:\(port)" }
    /// All requests so far, in the order in which they came.
    package var requests: [Request] { log.seen.withLock { $0 } }

    /// Nobody listens any more; connections that are open stay so.
    package func stopListening() async { try? await channel.close() }
}

private final class RequestLog: Sendable {
    let seen = Mutex<[ScriptedServer.Request]>([])
}

private final class ScriptedHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (ScriptedServer.Request) -> ScriptedServer.Reply
    private var request = ScriptedServer.Request(method: "", path: "", headers: [], body: [])

    init(_ answer: @escaping @Sendable (ScriptedServer.Request) -> ScriptedServer.Reply) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = .init(method: head.method.rawValue, path: head.uri, headers: head.headers.map { ($0.name, $0.value) }, body: [])
        case .body(let part): request.body += part.readableBytesView
        case .end: reply(answer(request), context)
        }
    }

    private func reply(_ reply: ScriptedServer.Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .answer(let status, let headers, let bytes):
            head(status, headers, length: bytes.count, context)
            if request.method != "HEAD" { body(bytes, context) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .cut(let status, let headers, let bytes):
            head(status, headers, length: bytes.count + 1000, context)
            body(bytes, context)
            context.flush()
            context.close(promise: nil)
        case .drip(let length):
            head(200, [("Content-Type", "application/octet-stream")], length: length, context)
            context.flush()
            let channel = context.channel
            channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { task in
                guard channel.isActive else { return task.cancel() }
                channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: [0]))), promise: nil)
            }
        case .hangUp: context.close(promise: nil)
        case .silence: break
        }
    }

    private func head(_ status: Int, _ headers: [(String, String)], length: Int, _ context: ChannelHandlerContext) {
        var fields = HTTPHeaders(headers)
        fields.replaceOrAdd(name: "Content-Length", value: String(length))
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields))), promise: nil)
    }

    private func body(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        if !bytes.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil) }
    }
}
