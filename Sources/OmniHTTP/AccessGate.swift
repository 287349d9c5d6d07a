import HTTPTypes
import Hummingbird
import OmniAPI

/// API keys and browser origins.
struct AccessGate: Sendable {
    let apiKeys: [[UInt8]]
    let origins: [String]

    init(apiKeys: [String], origins: [String]) {
        self.apiKeys = apiKeys.map { Array($0.utf8) }
        self.origins = origins
    }

    /// The reply to a request that may not pass: a preflight's answer, or 401.
    func refusal(of request: Request) -> Response? {
        if request.method == .options {
            if request.headers[.origin] != nil { return preflight(request) }
            // What a path takes is no secret: the API document says it too.
            return nil
        }
        // Anthropic's clients send the key by itself.
        let authorization = request.headers[.authorization] ?? request.headers[.xAPIKey].map { "Bearer \($0)" }
        guard !allows(path: request.uri.path, authorization: authorization) else { return nil }
        let error = APIError(.unauthorized, "A valid API key is required.", remedy: "Send `Authorization: Bearer KEY`.")
        return .error(error, as: ErrorShape(path: request.uri.path))
    }

    /// Whether a path leads into `/v1` or `/v2`, or to a model by an older name, read as the router reads it: empty segments do not count,
    /// so `//v1/models` does. The link to a picture holds a secret of its own.
    static func isLocked(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let first = parts.first else { return false }
        if parts.count == 4, parts[1] == "images", parts[3] == "content" { return false }
        return first.hasPrefix("v1") || first.hasPrefix("v2") || ["rerank", "score", "classify", "pooling"].contains(first)
    }

    /// The token of an `Authorization` header (RFC 6750, 2.1); nil for another scheme.
    static func bearer(_ authorization: String) -> String? {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        return parts.count == 2 && parts[0].lowercased() == "bearer" ? String(parts[1]) : nil
    }

    /// Whether a path is open, or `authorization` opens it.
    func allows(path: String, authorization: String?) -> Bool {
        guard !apiKeys.isEmpty, Self.isLocked(path) else { return true }
        guard let key = authorization.flatMap(Self.bearer) else { return false }
        let given = Array(key.utf8)
        // Every key is compared whole, so that the time tells nothing about where a guess goes wrong.
        return apiKeys.reduce(false) { $1.matchesInConstantTime(given) || $0 }
    }

    private func preflight(_ request: Request) -> Response {
        var response = Response(status: .ok)
        addCORS(to: &response, for: request)
        response.headers[.accessControlAllowMethods] = "GET, HEAD, POST, DELETE, OPTIONS"
        response.headers[.accessControlAllowHeaders] = request.headers[.init("Access-Control-Request-Headers")!] ?? "*"
        response.headers[.accessControlMaxAge] = "600"
        return response
    }

    func addCORS(to response: inout Response, for request: Request) {
        response.headers[.vary] = "Origin"
        guard let origin = request.headers[.origin] else { return }
        if origins.contains("*") {
            response.headers[.accessControlAllowOrigin] = "*"
        } else if origins.contains(origin) {
            response.headers[.accessControlAllowOrigin] = origin
        }
        response.headers[.accessControlExposeHeaders] = "X-Request-Id, x-ignored-params, X-Sample-Rate, Retry-After"
    }
}

extension [UInt8] {
    fileprivate func matchesInConstantTime(_ other: [UInt8]) -> Bool {
        var difference = count ^ other.count
        for index in indices { difference |= Int(self[index] ^ (index < other.count ? other[index] : 0)) }
        return difference == 0
    }
}
