import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// An HTTP/1.1 connection: Hummingbird's channel with our disconnect handler in it.
enum HTTPChannel {
    static func builder(idleTimeout: TimeAmount) -> HTTPServerBuilder {
        .http1(configuration: .init(additionalChannelHandlers: [DisconnectHandler()], idleTimeout: idleTimeout))
    }

    /// `Expect: 100-continue` asks before a large body is sent; neither NIO nor Hummingbird answers it. A body that will be
    /// refused is not invited.
    static func inviteBody(_ request: Request, limit: Int, writer: borrowing ResponseWriter) async throws {
        guard request.headers[.expect]?.lowercased() == "100-continue" else { return }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { return }
        try await writer.writeInformationalHead(.init(status: .continue))
    }
}
