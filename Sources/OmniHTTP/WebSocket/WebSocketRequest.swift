import Foundation
import NIOHTTP1

/// What a client said when it asked for a WebSocket.
package struct WebSocketRequest: Sendable {
    package var path: String
    /// The first value of each name.
    package var query: [String: String] = [:]
    /// Offers of `Sec-WebSocket-Protocol`.
    package var protocols: [String] = []
    private var headers = HTTPHeaders()

    package init(path: String = "/") { self.path = path }

    init(_ head: HTTPRequestHead) {
        let address = URLComponents(string: head.uri)
        path = String(head.uri.prefix { $0 != "?" })
        query = Dictionary((address?.queryItems ?? []).map { ($0.name, $0.value ?? "") }) { first, _ in first }
        headers = head.headers
        protocols = head.headers[canonicalForm: "sec-websocket-protocol"].map(String.init)
    }

    /// Before a key among the protocols: browsers can send no headers.
    private static let keyProtocol = "openai-insecure-api-key."

    /// The API key that it brings, as a bearer token or among its protocols.
    package var key: String? {
        if let key = headers.first(name: "authorization").flatMap(AccessGate.bearer) { return key }
        return protocols.first { $0.hasPrefix(Self.keyProtocol) }.map { String($0.dropFirst(Self.keyProtocol.count)) }
    }

    /// The first header of a name, whatever its case.
    package func header(_ name: String) -> String? { headers.first(name: name) }
}
