import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The WebSockets of a server, by path.
public struct WebSocketRoutes: Sendable {
    typealias Handler = @Sendable (WebSocketSession) async throws -> Void

    private var handlers: [String: Handler] = [:]
    /// API keys guard sockets as they guard requests.
    var gate = AccessGate(apiKeys: [], origins: ["*"])

    public init() {}

    /// For the API document, in order.
    private(set) var summaries: [(path: String, summary: String)] = []

    mutating func add(_ path: String, _ summary: String, _ handler: @escaping Handler) {
        handlers[path] = handler
        summaries.append((path, summary))
    }

    /// Without the right key there is no upgrade: the request goes on as an ordinary one and is answered 401.
    func accepts(_ head: HTTPRequestHead) -> Bool {
        handlers[Self.path(head)] != nil && gate.allows(path: Self.path(head), authorization: head.headers.first(name: "authorization"))
    }

    func serve(_ channel: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, _ head: HTTPRequestHead, logger: Logger) async {
        guard let handler = handlers[Self.path(head)] else { return }
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await handler(WebSocketSession(inbound: inbound, outbound: outbound))
            }
        } catch {
            logger.debug("socket ended", metadata: ["path": .string(Self.path(head)), "error": "\(error)"])
        }
    }

    private static func path(_ head: HTTPRequestHead) -> String { String(head.uri.prefix { $0 != "?" }) }
}

/// One WebSocket: messages in, messages out; frames are joined, pings answered (RFC 6455).
final class WebSocketSession: Sendable {
    enum Message: Sendable {
        case text(String)
        case binary([UInt8])
    }

    private let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    init(inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) {
        self.inbound = inbound
        self.outbound = outbound
    }

    func send(text: String) async throws { try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text))) }
    func send(binary: [UInt8]) async throws { try await outbound.write(WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: binary))) }

    /// Sends a close frame; the connection ends when the handler returns.
    func close(code: UInt16) async throws {
        var data = ByteBuffer()
        data.writeInteger(code)
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    }

    /// Calls `body` with each message until the client closes or `body` returns false. A message longer than
    /// `maximumBytes` ends the socket with code 1009, text that is not UTF-8 with 1007, and what the protocol forbids a client
    /// with 1002: frames without a mask, reserved bits, unknown kinds, parts of a message out of order.
    func forEachMessage(maximumBytes: Int, _ body: (Message) async throws -> Bool) async throws {
        var parts = ByteBuffer()
        /// Of the message whose parts are coming.
        var opcode: WebSocketOpcode?
        for try await frame in inbound {
            guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return try await close(code: 1002) }
            var data = frame.unmaskedData
            switch frame.opcode {
            case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: data))
            case .pong: break
            case .connectionClose:
                try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
                return
            case .text, .binary, .continuation:
                guard (frame.opcode == .continuation) == (opcode != nil) else { return try await close(code: 1002) }
                let kind = opcode ?? frame.opcode
                parts.writeBuffer(&data)
                guard parts.readableBytes <= maximumBytes else { return try await close(code: 1009) }
                opcode = frame.fin ? nil : kind
                guard frame.fin else { continue }
                let message: Message
                if kind == .binary {
                    message = .binary(Array(parts.readableBytesView))
                } else {
                    guard let text = String(validating: parts.readableBytesView, as: UTF8.self) else { return try await close(code: 1007) }
                    message = .text(text)
                }
                parts.clear()
                guard try await body(message) else { return }
            default: return try await close(code: 1002)
            }
        }
    }
}
