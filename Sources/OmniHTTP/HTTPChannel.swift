import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket
import OmniAPI

/// An HTTP/1 connection, watched by a ``ConnectionGuard`` from its first byte on, that may become a WebSocket on chosen paths.
struct HTTPChannel: ServerChildChannel, HTTPChannelHandler {
    /// What a connection turned out to be.
    enum Kind: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case socket(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, HTTPRequestHead)
    }

    struct Value: ServerChildChannelValue {
        let kind: EventLoopFuture<Kind>
        let channel: any Channel
    }

    let responder: HTTPChannelHandler.Responder
    let sockets: WebSocketRoutes
    let limits: ConnectionLimits
    /// The answer to what cannot be read; see ``ConnectionGuard``.
    let refuse: @Sendable (APIError) -> (HTTPResponseHead, ByteBuffer)

    /// Largest frame of a WebSocket, bytes: its messages' own limits lie below.
    private static let maxFrameSize = 8 << 20

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let upgrader = NIOTypedWebSocketServerUpgrader<Kind>(
                maxFrameSize: Self.maxFrameSize,
                shouldUpgrade: { [sockets] channel, head in
                    channel.eventLoop.makeSucceededFuture(sockets.accepts(head) ? sockets.headers(for: head) : nil)
                },
                upgradePipelineHandler: { channel, head in
                    channel.eventLoop.makeCompletedFuture {
                        .socket(try NIOAsyncChannel<WebSocketFrame, WebSocketFrame>(wrappingChannelSynchronously: channel), head)
                    }
                })
            let upgrade = NIOTypedHTTPServerUpgradeConfiguration<Kind>(upgraders: [upgrader]) { channel in
                channel.eventLoop.makeCompletedFuture { .http(try Self.addHTTPHandlers(to: channel)) }
            }
            let watcher = ConnectionGuard(limits, sockets: sockets, refuse: refuse)
            let watch = WireWatch(watcher)
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits.forDecoder))
            // The decoder last: what it holds back goes to whoever stands behind it, and must be none that reads HTTP.
            let upgrading = NIOTypedHTTPServerUpgradeHandler(
                httpEncoder: encoder, extraHTTPHandlers: [watch, watcher, decoder], upgradeConfiguration: upgrade)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(watch)
            try pipeline.addHandler(encoder)
            try pipeline.addHandler(decoder)
            try pipeline.addHandler(watcher)
            try pipeline.addHandler(upgrading)
            return Value(kind: upgrading.upgradeResultFuture, channel: channel)
        }
    }

    private static func addHTTPHandlers(to channel: any Channel) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(DisconnectHandler())
        return try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    /// Everything about a connection runs on its own loop.
    func handle(value: Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) { await serve(value, logger: logger) }
    }

    private func serve(_ value: Value, logger: Logger) async {
        do {
            switch try await value.kind.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .socket(let channel, let head): await sockets.serve(channel, head, logger: logger)
            }
        } catch {
            logger.debug("connection ended before its first request", metadata: ["error": "\(error)"])
            // A lingering one ends by itself.
            value.channel.close(promise: nil)
        }
    }

    /// `Expect: 100-continue` asks before a large body is sent; neither NIO nor Hummingbird answers it. A body that will be
    /// refused is not invited.
    static func inviteBody(_ request: Request, limit: Int, writer: borrowing ResponseWriter) async throws {
        guard request.headers[.expect]?.lowercased() == "100-continue" else { return }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { return }
        try await writer.writeInformationalHead(.init(status: .continue))
    }
}
