import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server on 127.0.0.1 that answers as a test tells it.
final class StandIn: Sendable {
    struct Request: Sendable {
        var method: String
        var uri: String
        var headers: HTTPHeaders
        var body: [UInt8] = []

        var text: String { String(decoding: body, as: UTF8.self) }
        func header(_ name: String) -> String? { headers.first(name: name) }
    }

    struct Answer: Sendable {
        enum Ending: Sendable {
            case whole
            /// The connection breaks after the body.
            case cut
            /// Nothing more comes, and the connection stays.
            case hangs
            /// Nothing comes at all.
            case silent
        }

        var status = 200
        var headers: [(String, String)] = []
        /// Each goes out by itself.
        var pieces: [[UInt8]] = []
        var ending = Ending.whole

        static func json(_ text: String, status: Int = 200, headers: [(String, String)] = []) -> Answer {
            Answer(status: status, headers: [("Content-Type", "application/json")] + headers, pieces: [Array(text.utf8)])
        }

        static func events(_ pieces: [String], ending: Ending = .whole) -> Answer {
            Answer(headers: [("Content-Type", "text/event-stream; charset=utf-8")], pieces: pieces.map { Array($0.utf8) }, ending: ending)
        }
    }

    private struct State: Sendable {
        var seen: [Request] = []
        /// Connections that ended while an answer hung.
        var abandoned = 0
    }

    private let answer: @Sendable (Request) -> Answer
    private let state = Mutex(State())
    private let channel = Mutex<(any Channel)?>(nil)

    var baseURL: String { "http://127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }
    var seen: [Request] { state.withLock(\.seen) }
    var abandoned: Int { state.withLock(\.abandoned) }

    private init(_ answer: @escaping @Sendable (Request) -> Answer) { self.answer = answer }

    /// Runs `body` beside a server that answers with `answer`.
    static func serving(_ answer: @escaping @Sendable (Request) -> Answer, _ body: (StandIn) async throws -> Void) async throws {
        let server = StandIn(answer)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        do {
            try await body(server)
        } catch {
            try? await channel.close()
            throw error
        }
        try await channel.close()
    }

    fileprivate func take(_ request: Request) -> Answer {
        state.withLock { $0.seen.append(request) }
        return answer(request)
    }

    fileprivate func noteAbandoned() { state.withLock { $0.abandoned += 1 } }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: StandIn
    private var request: StandIn.Request?
    private var hangs = false

    init(_ server: StandIn) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = StandIn.Request(method: head.method.rawValue, uri: head.uri, headers: head.headers)
        case .body(let bytes): request?.body += bytes.readableBytesView
        case .end:
            guard let request else { return }
            send(server.take(request), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if hangs { server.noteAbandoned() }
        context.fireChannelInactive()
    }

    private func send(_ answer: StandIn.Answer, _ context: ChannelHandlerContext) {
        if answer.ending == .silent { return }
        var headers = HTTPHeaders(answer.headers)
        if answer.ending == .whole, answer.pieces.count <= 1 {
            headers.replaceOrAdd(name: "Content-Length", value: "\(answer.pieces.first?.count ?? 0)")
        }
        context.writeAndFlush(
            wrapOutboundOut(.head(.init(version: .http1_1, status: .init(statusCode: answer.status), headers: headers))), promise: nil)
        for piece in answer.pieces { context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: piece)))), promise: nil) }
        switch answer.ending {
        case .whole: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .cut:
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.eventLoop.execute { bound.value.close(promise: nil) }
        case .hangs: hangs = true
        case .silent: break
        }
    }
}

extension StandIn.Answer.Ending: Equatable {}

/// Waits for a condition; false when it never comes true within ten seconds.
func eventually(_ condition: @Sendable () -> Bool) async throws -> Bool {
    for _ in 0..<1000 {
        if condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}
