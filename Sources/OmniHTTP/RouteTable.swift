import HTTPTypes
import Hummingbird
import OmniAPI

/// Routes that belong together, with exactly what they need to be answered.
package protocol RouteGroup: Sendable {
    func add(to table: inout RouteTable)
}

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

    package mutating func add(_ group: some RouteGroup) { group.add(to: &self) }

    /// Adds a group whose routes are there only while `check` does not throw; what it throws is the answer.
    package mutating func add(_ group: some RouteGroup, where check: @escaping @Sendable () throws -> Void) {
        var own = RouteTable()
        own.add(group)
        routes += own.routes.map { route in
            Route(method: route.method, path: route.path, doc: route.doc) { request, context in
                try check()
                return try await route.handler(request, context)
            }
        }
    }

    /// A responder for all routes. `HEAD` is answered wherever `GET` is (RFC 9110, 9.1), `OPTIONS` by the methods that a path
    /// takes, other methods on a known path with 405; both name them in `Allow`.
    func responder() -> RouterResponder<OmniContext> {
        let router = Hummingbird.Router(context: OmniContext.self)
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { try await route.handler($0, $1) }
        }
        for (path, routes) in Dictionary(grouping: routes, by: \.path) {
            let named = routes.map(\.method)
            var allowed = named
            if let get = routes.first(where: { $0.method == .get }), !named.contains(.head) {
                allowed.append(.head)
                router.on(RouterPath(path), method: .head) { try await get.handler($0, $1) }
            }
            let allow = (allowed + [.options]).map(\.rawValue).joined(separator: ", ")
            router.on(RouterPath(path), method: .options) { _, _ in Response(status: .noContent, headers: [.allow: allow]) }
            for method in [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete] where !allowed.contains(method) {
                router.on(RouterPath(path), method: method) { _, _ in
                    var response = Response.error(
                        APIError(
                            .methodNotAllowed, "This path does not take \(method.rawValue).",
                            remedy: "Use \(named.map(\.rawValue).joined(separator: " or "))."),
                        as: ErrorShape(path: path))
                    response.headers[.allow] = allow
                    return response
                }
            }
        }
        return router.buildResponder()
    }
}
