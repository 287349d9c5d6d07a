import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket
import OmniAPI
import OmniAccess

/// The WebSockets of a server, by path.
public struct WebSocketRoutes: Sendable {
    package typealias Handler = @Sendable (WebSocketSession) async throws -> Void

    /// What is at one path.
    private struct Route {
        let handler: Handler
        /// Protocols that it speaks, of which the first that a client offers is chosen (RFC 6455, 1.9).
        let protocols: [String]
        /// The name of the key in whose stead a key that is none of the server's opens it; nil where it does not.
        let owner: @Sendable (String) -> String?
    }

    private var routes: [String: Route] = [:]
    /// API keys guard sockets as they guard requests.
    var gate = AccessGate(keys: .none, pages: OriginPolicy())

    public init() {}

    /// For the API document, in order.
    private(set) var summaries: [(path: String, summary: String)] = []

    package mutating func add(
        _ path: String, _ summary: String, protocols: [String] = [], owner: @escaping @Sendable (String) -> String? = { _ in nil },
        _ handler: @escaping Handler
    ) {
        routes[path] = Route(handler: handler, protocols: protocols, owner: owner)
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
        let (origin, host) = (head.headers.first(name: "origin"), head.headers.first(name: "host"))
        guard gate.pages.refusal(origin: origin, host: host) == nil else { return false }
        guard gate.isLocked(request.path) else { return true }
        guard let key = try? key(of: request, route) else { return false }
        return gate.keys.wouldAdmit(key)
    }

    /// The server's key that a client brings, or in whose stead it was given another one. Throws 401, or 403 where it is not for this.
    private func key(of request: WebSocketRequest, _ route: Route) throws -> APIKey {
        let bearer = request.header("authorization").flatMap(AccessGate.bearer)
        // Protocols bring keys only where there are any.
        let secret = route.protocols.isEmpty ? bearer : request.key
        let owner = route.protocols.isEmpty ? nil : secret.flatMap(route.owner)
        let key = try owner.map(gate.keys.key(named:)) ?? gate.keys.key(secret)
        try gate.check(key, path: request.path)
        return key
    }

    /// What the answer to an accepted client says beside the upgrade itself: the protocol that is spoken, where it offered one.
    func headers(for head: HTTPRequestHead) -> HTTPHeaders {
        let request = WebSocketRequest(head)
        let spoken = request.protocols.first { routes[request.path]?.protocols.contains($0) ?? false }
        return HTTPHeaders(spoken.map { [("sec-websocket-protocol", $0)] } ?? [])
    }

    func serve(_ channel: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, _ head: HTTPRequestHead, logger: Logger) async {
        let request = WebSocketRequest(head)
        guard let route = routes[request.path] else { return }
        do {
            try await channel.executeThenClose { inbound, outbound in
                let session = WebSocketSession(inbound: inbound, outbound: outbound, request: request, logger: logger)
                guard gate.isLocked(request.path) else { return try await route.handler(session) }
                guard let lease = try? gate.keys.begin(key(of: request, route), isSocket: true) else {
                    // Another request took the last place since the socket was accepted.
                    return try await session.close(code: 1013)
                }
                defer { lease.end() }
                try await KeyLease.$current.withValue(lease) { try await route.handler(session) }
            }
        } catch {
            logger.debug("socket ended", metadata: ["path": .string(request.path), "error": "\(error)"])
        }
    }
}
