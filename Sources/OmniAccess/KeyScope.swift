/// What a key may be used for: routes and models; nil is all.
public struct KeyScope: Sendable, Equatable {
    /// Paths; one that ends in `/*` stands for all below it.
    public var routes: [String]?
    /// Names of models, aliases too.
    public var models: [String]?

    public init(routes: [String]? = nil, models: [String]? = nil) {
        (self.routes, self.models) = (routes, models)
    }

    /// Whether a path may be called. It is read as the router reads it: empty segments do not count.
    public func allows(path: String) -> Bool {
        guard let routes else { return true }
        let asked = Self.segments(path)
        return routes.contains { route in
            let allowed = Self.segments(route)
            guard allowed.last == "*" else { return allowed == asked }
            return asked.count >= allowed.count && asked.starts(with: allowed.dropLast())
        }
    }

    /// Whether a model may be used that goes by these names.
    public func allows(model names: [String]) -> Bool { models.map { !Set($0).isDisjoint(with: names) } ?? true }

    private static func segments(_ path: String) -> [Substring] { path.split(separator: "/") }
}
