import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAccess

/// Who may pass: pages of browsers by their origin, everybody by the name that they know the server under and by their key.
struct AccessGate: Sendable {
    let keys: KeyStore
    let pages: OriginPolicy

    /// What becomes of a request.
    enum Decision {
        /// It goes on; with its key's lease where there are keys.
        case passes(KeyLease?)
        case answered(Response)
    }

    /// Lets a request in, or says why not: 401, 403 or 429. A preflight gets its answer. `isForSocket`: its path is a WebSocket's, which it
    /// did not get.
    func decide(on request: Request, isForSocket: Bool = false) -> Decision {
        if let refusal = pages.refusal(origin: request.headers[.origin], host: request.head.authority) {
            return .answered(.error(refusal, as: ErrorShape(path: request.uri.path)))
        }
        // What a path takes is no secret: the API document says it too.
        if request.method == .options { return request.headers[.origin] == nil ? .passes(nil) : .answered(preflight(request)) }
        guard isLocked(request.uri.path) else { return .passes(nil) }
        // Anthropic's clients send the key by itself.
        let secret = request.headers[.authorization].map(Self.bearer) ?? request.headers[.xAPIKey]
        var known: APIKey?
        do {
            let key = try keys.key(secret)
            known = key
            try check(key, path: request.uri.path)
            // Reading of lists and results costs next to nothing, and clients ask for them again and again.
            let isCounted = isForSocket || ![.get, .head].contains(request.method)
            return .passes(try keys.begin(key, isCounted: isCounted))
        } catch {
            let (wire, _) = wireError(error, requestID: "")
            var response = Response.error(wire, as: ErrorShape(path: request.uri.path))
            if let known, wire.code == .rateLimited { Self.add(keys.headers(of: known), to: &response) }
            return .answered(response)
        }
    }

    /// Whether a path needs a key here.
    func isLocked(_ path: String) -> Bool { keys.isRequired && Self.isLocked(path) }

    /// Throws 403 for a path that a key may not call. What it has used it may always ask.
    func check(_ key: APIKey, path: String) throws {
        guard !key.scope.allows(path: path), !KeyScope(routes: ["/v1/usage"]).allows(path: path) else { return }
        throw APIError(
            .permissionDenied, "The key `\(key.name)` may not call this path.",
            remedy: "It may call: \((key.scope.routes ?? []).joined(separator: ", ")).")
    }

    /// Whether a path leads into `/v1` or `/v2`, or to a model by an older name, read as the router reads it: empty segments do not count,
    /// so `//v1/models` does. The link to a picture holds a secret of its own.
    static func isLocked(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let first = parts.first else { return false }
        if parts.count == 4, parts[1] == "images", parts[3] == "content" { return false }
        return first.hasPrefix("v1") || first.hasPrefix("v2") || ["api", "rerank", "score", "classify", "pooling"].contains(first)
    }

    /// The token of an `Authorization` header (RFC 6750, 2.1); nil for another scheme.
    static func bearer(_ authorization: String) -> String? {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        return parts.count == 2 && parts[0].lowercased() == "bearer" ? String(parts[1]) : nil
    }

    static func add(_ headers: [(name: String, value: String)], to response: inout Response) {
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
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
        response.headers[.accessControlAllowOrigin] = pages.allowed(origin)
        response.headers[.accessControlExposeHeaders] = Self.exposed
    }

    /// Headers that pages may read.
    private static let exposed: String = {
        let limits = ["limit", "remaining", "reset"].flatMap { part in ["requests", "tokens"].map { "x-ratelimit-\(part)-\($0)" } }
        return (["X-Request-Id", "x-ignored-params", "X-Sample-Rate", "Retry-After"] + limits).joined(separator: ", ")
    }()
}
