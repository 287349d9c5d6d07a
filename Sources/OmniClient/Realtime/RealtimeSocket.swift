import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
import OmniAPI

/// An open realtime session: events go in with ``send(_:)`` and its shorthands, and come out of ``events``.
public struct RealtimeSocket: Sendable {
    typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    private let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    /// What the server says, up to the end of the session. It can be read once. Pings are answered while it is read.
    public var events: RealtimeEventStream { RealtimeEventStream(inbound: inbound, outbound: outbound) }

    /// Sends an event. Waits while the server takes none.
    public func send(_ event: RealtimeClientEvent) async throws {
        do {
            try await outbound.write(.masked(.text, ByteBuffer(string: event.json.jsonText)))
        } catch is ChannelError {
            throw OmniError(.interrupted, "The session is over.")
        }
    }

    /// Changes the session's settings: the members of a ``RealtimeSession`` that are given.
    public func update(_ session: JSONObject) async throws {
        var session = session
        if session["type"] == nil { session["type"] = "realtime" }
        try await send(.updateSession(session))
    }

    /// More of what the user says, in the session's format; 24 kHz s16le unless it was changed.
    public func append(_ sound: [UInt8]) async throws { try await send(.appendAudio(Data(sound).base64EncodedString())) }

    /// A message of the user's, in writing, and the wish for an answer.
    public func say(_ text: String) async throws {
        let id = "item_\(UUID().uuidString.filter { $0 != "-" }.lowercased())"
        try await send(.createItem(RealtimeItem(id: id, .message(.user, [.text(text)])), previous: nil))
        try await respond()
    }

    /// Asks for an answer.
    public func respond(_ request: RealtimeResponseRequest = RealtimeResponseRequest()) async throws {
        try await send(.createResponse(request))
    }

    // MARK: Opening

    /// Bytes of one message of a server's.
    private static let longestMessage = 16 << 20

    private enum Upgrade: Sendable {
        case socket(Frames)
        case refused
    }

    static func open<Result: Sendable>(
        _ configuration: OmniClient.Configuration, model: String?, _ body: @Sendable (RealtimeSocket) async throws -> Result
    ) async throws -> Result {
        guard let url = URLComponents(string: configuration.baseURL), let host = url.host, let scheme = url.scheme else {
            throw OmniError(.unreachable, "\(configuration.baseURL) is not a URL of a server.")
        }
        let isSecure = scheme == "https"
        var address = URLComponents()
        address.path = url.path + "/v1/realtime"
        if let model { address.queryItems = [URLQueryItem(name: "model", value: model)] }
        var headers: HTTPHeaders = ["Host": url.port.map { "\(host):\($0)" } ?? host, "Content-Length": "0", "User-Agent": "OmniClient"]
        if let key = configuration.apiKey { headers.add(name: "Authorization", value: "Bearer \(key)") }
        for (name, value) in configuration.headers { headers.replaceOrAdd(name: name, value: value) }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.string ?? "/v1/realtime", headers: headers)
        let upgrade: Upgrade
        do {
            upgrade = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(10)).connect(
                host: host, port: url.port ?? (isSecure ? 443 : 80)
            ) { channel in
                channel.eventLoop.makeCompletedFuture { try configure(channel, head, tls: isSecure ? host : nil) }
            }.get()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw OmniError(.unreachable, "No server answers at \(configuration.baseURL).")
        }
        guard case .socket(let frames) = upgrade else {
            throw OmniError(.refused, "The server at \(configuration.baseURL) has no realtime sessions, or not for this key.", status: 401)
        }
        return try await frames.executeThenClose { inbound, outbound in
            let result = try await body(RealtimeSocket(inbound: inbound, outbound: outbound))
            var code = ByteBuffer()
            code.writeInteger(UInt16(1000))
            try? await outbound.write(.masked(.connectionClose, code))
            return result
        }
    }

    private static func configure(_ channel: any Channel, _ head: HTTPRequestHead, tls host: String?) throws -> EventLoopFuture<Upgrade> {
        if let host {
            let context = try NIOSSLContext(configuration: .makeClientConfiguration())
            try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: host))
        }
        try channel.pipeline.syncOperations.addHandler(LateEnd())
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(maxFrameSize: longestMessage) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1024, maxAccumulatedFrameSize: longestMessage))
                return .socket(try Frames(wrappingChannelSynchronously: channel))
            }
        }
        let settings = NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: head, upgraders: [upgrader]) { channel in
            channel.close(promise: nil)
            return channel.eventLoop.makeSucceededFuture(Upgrade.refused)
        }
        var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: settings)
        // A server's first events may come in one piece with its answer to the handshake; by default NIO drops them. See ``LateEnd`` too.
        pipeline.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
    }
}

/// What the server of a session says. It can be read once.
public struct RealtimeEventStream: AsyncSequence, Sendable {
    let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    public struct AsyncIterator: AsyncIteratorProtocol {
        var frames: NIOAsyncChannelInboundStream<WebSocketFrame>.AsyncIterator
        let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

        /// The next event; nil once the session is over. Throws ``OmniError`` for what is none.
        public mutating func next() async throws -> RealtimeServerEvent? {
            while let frame = try await frames.next() {
                switch frame.opcode {
                case .ping: try await outbound.write(.masked(.pong, frame.unmaskedData))
                case .connectionClose: return nil
                case .text:
                    guard let json = (try? JSONValue.parse(String(buffer: frame.unmaskedData)))?.objectValue else {
                        throw OmniError(.unreadable, "An event is not a JSON object.")
                    }
                    return RealtimeServerEvent(json)
                default: break
                }
            }
            return nil
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(frames: inbound.makeAsyncIterator(), outbound: outbound) }
}

extension WebSocketFrame {
    /// As clients send frames.
    fileprivate static func masked(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }
}

/// Tells of the connection's end one turn of the loop later. NIO takes its HTTP handlers out one turn after the handshake's answer, and what
/// came in one piece with that is lost if the end is told before.
private final class LateEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelInactive(context: ChannelHandlerContext) {
        let context = context.loopBound
        context.eventLoop.execute { context.value.fireChannelInactive() }
    }
}
