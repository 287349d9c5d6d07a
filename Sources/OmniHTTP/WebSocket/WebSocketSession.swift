import Logging
import NIOCore
import NIOWebSocket
import OmniEngine
import Synchronization

/// One WebSocket: messages in, messages out; frames are joined, pings sent and answered (RFC 6455).
package final class WebSocketSession: Sendable {
    package enum Message: Sendable {
        case text(String)
        case binary([UInt8])

        fileprivate var bytes: Int {
            switch self {
            case .text(let text): text.utf8.count
            case .binary(let bytes): bytes.count
            }
        }
    }

    private let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    /// A close frame has gone out: nothing may follow it.
    private let isClosed = Mutex(false)
    private let lastFrame = Mutex(ContinuousClock.now)

    /// What the client said when it asked for the socket.
    package let request: WebSocketRequest
    package let logger: Logger

    init(
        inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
        request: WebSocketRequest = WebSocketRequest(), logger: Logger = Logger(label: "omni.socket")
    ) {
        self.inbound = inbound
        self.outbound = outbound
        self.request = request
        self.logger = logger
    }

    package func send(text: String) async throws { try await send(.text, ByteBuffer(string: text)) }
    package func send(binary: [UInt8]) async throws { try await send(.binary, ByteBuffer(bytes: binary)) }

    /// Waits while the client does not read. Throws `CancellationError` once the socket is closed.
    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws {
        guard !isClosed.withLock({ $0 }) else { throw CancellationError() }
        try await outbound.write(WebSocketFrame(fin: true, opcode: opcode, data: data))
    }

    /// Sends a close frame; the connection ends when the handler returns.
    package func close(code: UInt16) async throws {
        var data = ByteBuffer()
        data.writeInteger(code)
        try await close(data)
    }

    private func close(_ data: ByteBuffer) async throws {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        guard !wasClosed else { return }
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: data))
    }

    /// Pings that the server sends by itself, so that proxies keep a silent socket and a client that vanished without a word is found out.
    package struct Pings: Sendable {
        /// Without a frame from the client until it is pinged, and between pings.
        package var interval: Duration
        /// Without any frame, pongs too, until the client counts as gone. Long: one that plays what it was sent reads nothing meanwhile.
        package var longestSilence: Duration

        package init(interval: Duration = .seconds(20), longestSilence: Duration = .seconds(300)) {
            (self.interval, self.longestSilence) = (interval, longestSilence)
        }
    }

    /// Calls `body` with each message, one after the other, until the client closes or goes, which cancels it, or `body` returns false.
    /// Frames are read and pings sent and answered meanwhile, as long as what waits for `body` is not more than a few messages of the
    /// largest kind.
    ///
    /// A message longer than `maximumBytes` ends the socket with code 1009, text that is not UTF-8 with 1007, and what the protocol
    /// forbids a client with 1002: frames without a mask, reserved bits, unknown kinds, parts of a message out of order.
    package func forEachMessage(
        maximumBytes: Int, pings: Pings = Pings(), _ body: @escaping @Sendable (Message) async throws -> Bool
    ) async throws {
        let messages = BoundedQueue<Message>(limit: 2 * maximumBytes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.read(into: messages, maximumBytes: maximumBytes) }
            group.addTask { try await self.ping(pings) }
            group.addTask {
                while let message = try await messages.next() {
                    guard try await body(message) else { return }
                }
            }
            // Whoever ends first ends the other: a client that is gone needs no more work.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Returns when the client has been silent for too long.
    private func ping(_ pings: Pings) async throws {
        // Whoever was not asked has not failed to answer.
        var isAsked = false
        while true {
            let silence = ContinuousClock.now - lastFrame.withLock { $0 }
            guard silence >= pings.interval else {
                isAsked = false
                try await Task.sleep(for: pings.interval - silence)
                continue
            }
            if isAsked, silence >= pings.longestSilence { return }
            try await send(.ping, ByteBuffer())
            isAsked = true
            try await Task.sleep(for: pings.interval)
        }
    }

    /// Returns when the client has closed, has gone, or has broken the protocol.
    private func read(into messages: BoundedQueue<Message>, maximumBytes: Int) async throws {
        var parts = ByteBuffer()
        /// Of the message whose parts are coming.
        var opcode: WebSocketOpcode?
        for try await frame in inbound {
            lastFrame.withLock { $0 = .now }
            guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return try await close(code: 1002) }
            var data = frame.unmaskedData
            switch frame.opcode {
            case .ping: try await send(.pong, data)
            case .pong: break
            case .connectionClose: return try await close(data)
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
                // An empty message costs too.
                try await messages.put(message, cost: message.bytes + 64)
            default: return try await close(code: 1002)
            }
        }
    }
}
