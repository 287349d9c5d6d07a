import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// An HTTP/1.1 connection, with our disconnect handler in it, that may become a WebSocket on chosen paths.
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
    let idleTimeout: TimeAmount

    /// Largest frame of a WebSocket, bytes: its messages' own limits lie below.
    private static let maxFrameSize = 8 << 20

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let upgrader = NIOTypedWebSocketServerUpgrader<Kind>(
                maxFrameSize: Self.maxFrameSize,
                shouldUpgrade: { [sockets] channel, head in channel.eventLoop.makeSucceededFuture(sockets.accepts(head) ? HTTPHeaders() : nil) },
                upgradePipelineHandler: { channel, head in
                    channel.eventLoop.makeCompletedFuture {
                        .socket(try NIOAsyncChannel<WebSocketFrame, WebSocketFrame>(wrappingChannelSynchronously: channel), head)
                    }
                })
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration<Kind>(
                upgradeConfiguration: .init(upgraders: [upgrader]) { [idleTimeout] channel in
                    channel.eventLoop.makeCompletedFuture { .http(try Self.addHTTPHandlers(to: channel, idleTimeout: idleTimeout, logger: logger)) }
                })
            configuration.enablePipelining = false
            configuration.enableErrorHandling = false
            configuration.enableResponseHeaderValidation = false
            return Value(kind: try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(configuration: configuration), channel: channel)
        }
    }

    private static func addHTTPHandlers(
        to channel: any Channel, idleTimeout: TimeAmount, logger: Logger
    ) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(DisconnectHandler())
        try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: .init(idleTimeout), logger: logger))
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
