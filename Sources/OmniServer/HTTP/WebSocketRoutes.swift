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
    /// `maximumBytes` ends the socket with code 1009.
    func forEachMessage(maximumBytes: Int, _ body: (Message) async throws -> Bool) async throws {
        var parts = ByteBuffer()
        var opcode = WebSocketOpcode.text
        for try await frame in inbound {
            var data = frame.unmaskedData
            switch frame.opcode {
            case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: data))
            case .pong: break
            case .connectionClose:
                try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
                return
            case .text, .binary, .continuation:
                if frame.opcode != .continuation { opcode = frame.opcode }
                parts.writeBuffer(&data)
                guard parts.readableBytes <= maximumBytes else { return try await close(code: 1009) }
                guard frame.fin else { continue }
                let message: Message = opcode == .binary ? .binary(Array(parts.readableBytesView)) : .text(String(buffer: parts))
                parts.clear()
                guard try await body(message) else { return }
            default: return try await close(code: 1002)
            }
        }
    }
}
