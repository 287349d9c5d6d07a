import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The WebSockets of a server, by path.
public struct WebSocketRoutes: Sendable {
    package typealias Handler = @Sendable (WebSocketSession) async throws -> Void

    private var handlers: [String: Handler] = [:]
    /// API keys guard sockets as they guard requests.
    var gate = AccessGate(apiKeys: [], origins: ["*"])

    public init() {}

    /// For the API document, in order.
    private(set) var summaries: [(path: String, summary: String)] = []

    package mutating func add(_ path: String, _ summary: String, _ handler: @escaping Handler) {
        handlers[path] = handler
        summaries.append((path, summary))
    }

    /// Whether there is a socket at a path, query left out.
    func serve(path: String) -> Bool { handlers[path] != nil }

    /// Whether this asks for a socket that is there, with the right key and as RFC 6455, 4.2.1, has it. What does not goes on as an
    /// ordinary request and gets a status: 401, 404 or 426.
    func accepts(_ head: HTTPRequestHead) -> Bool {
        func has(_ name: String, _ word: String) -> Bool { head.headers[canonicalForm: name].contains { $0.lowercased() == word } }
        guard head.method == .GET, head.version == .http1_1, has("upgrade", "websocket"), has("connection", "upgrade") else { return false }
        guard head.headers["sec-websocket-key"].count == 1, head.headers["sec-websocket-version"] == ["13"] else { return false }
        // A body would be read as frames.
        guard !head.headers.contains(name: "transfer-encoding"), (head.headers.first(name: "content-length") ?? "0") == "0" else {
            return false
        }
        return serve(path: Self.path(head)) && gate.allows(path: Self.path(head), authorization: head.headers.first(name: "authorization"))
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
