import HTTPTypes
import Hummingbird
import OmniAPI

/// The routes of a server, as data: what the router is built from, and what the API document lists.
public struct RouteTable: Sendable {
    public typealias Handler = @Sendable (Request, OmniContext) async throws -> Response

    public struct Route: Sendable {
        public let method: HTTPRequest.Method
        /// With `{name}` for parameters.
        public let path: String
        public let doc: RouteDoc
        let handler: Handler
    }

    public private(set) var routes: [Route] = []

    public init() {}

    public mutating func add(_ method: HTTPRequest.Method, _ path: String, _ doc: RouteDoc, _ handler: @escaping Handler) {
        routes.append(Route(method: method, path: path, doc: doc, handler: handler))
    }

    /// A responder for all routes; other methods on a known path are answered 405 with `Allow`.
    func responder() -> RouterResponder<OmniContext> {
        let router = Hummingbird.Router(context: OmniContext.self)
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { try await route.handler($0, $1) }
        }
        for (path, routes) in Dictionary(grouping: routes, by: \.path) {
            let allowed = routes.map(\.method)
            for method in [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete] where !allowed.contains(method) {
                router.on(RouterPath(path), method: method) { _, _ in
                    var response = Response.error(APIError(.methodNotAllowed, "This path does not take \(method.rawValue).", remedy: "Use \(allowed.map(\.rawValue).joined(separator: " or "))."))
                    response.headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
                    return response
                }
            }
        }
        return router.buildResponder()
    }
}
