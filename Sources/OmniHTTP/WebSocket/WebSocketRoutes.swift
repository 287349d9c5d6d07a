import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The WebSockets of a server, by path.
public struct WebSocketRoutes: Sendable {
    package typealias Handler = @Sendable (WebSocketSession) async throws -> Void

    /// What is at one path.
    private struct Route {
        let handler: Handler
        /// Protocols that it speaks, of which the first that a client offers is chosen (RFC 6455, 1.9).
        let protocols: [String]
        /// Whether a key that is none of the server's opens it.
        let admits: @Sendable (String) -> Bool
    }

    private var routes: [String: Route] = [:]
    /// API keys guard sockets as they guard requests.
    var gate = AccessGate(apiKeys: [], origins: ["*"])

    public init() {}

    /// For the API document, in order.
    private(set) var summaries: [(path: String, summary: String)] = []

    package mutating func add(
        _ path: String, _ summary: String, protocols: [String] = [], admits: @escaping @Sendable (String) -> Bool = { _ in false },
        _ handler: @escaping Handler
    ) {
        routes[path] = Route(handler: handler, protocols: protocols, admits: admits)
        summaries.append((path, summary))
    }

    /// Whether there is a socket at a path, query left out.
    func serve(path: String) -> Bool { routes[path] != nil }

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
        let request = WebSocketRequest(head)
        guard let route = routes[request.path] else { return false }
        if gate.allows(path: request.path, authorization: head.headers.first(name: "authorization")) { return true }
        // Protocols bring keys only where there are any.
        guard !route.protocols.isEmpty, let key = request.key else { return false }
        return gate.allows(path: request.path, authorization: "Bearer \(key)") || route.admits(key)
    }

    /// What the answer to an accepted client says beside the upgrade itself: the protocol that is spoken, where it offered one.
    func headers(for head: HTTPRequestHead) -> HTTPHeaders {
        let request = WebSocketRequest(head)
        let spoken = request.protocols.first { routes[request.path]?.protocols.contains($0) ?? false }
        return HTTPHeaders(spoken.map { [("sec-websocket-protocol", $0)] } ?? [])
    }

    func serve(_ channel: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, _ head: HTTPRequestHead, logger: Logger) async {
        let request = WebSocketRequest(head)
        guard let handler = routes[request.path]?.handler else { return }
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await handler(WebSocketSession(inbound: inbound, outbound: outbound, request: request, logger: logger))
            }
        } catch {
            logger.debug("socket ended", metadata: ["path": .string(request.path), "error": "\(error)"])
        }
    }
}
