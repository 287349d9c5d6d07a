import OmniAPI
import OmniEngine

/// A model that the gateway offers.
public struct CatalogueEntry: Sendable {
    public let id: String
    /// Other names that reach it.
    public let aliases: [String]
    /// nil for a remote backend, which is believed to do whatever is asked of it.
    public let kind: ModelKind?
    /// Answers requests of its kind that name no model.
    public let isDefault: Bool
    public let backend: any Backend

    public init(id: String, aliases: [String] = [], kind: ModelKind?, isDefault: Bool = false, backend: any Backend) {
        self.id = id
        self.aliases = aliases
        self.kind = kind
        self.isDefault = isDefault
        self.backend = backend
    }

    public var names: [String] { [id] + aliases }
}

/// The models on offer, in the order of the command line. Fixed at start.
public struct Catalogue: Sendable {
    public let entries: [CatalogueEntry]

    /// Throws when two models share a name.
    public init(_ entries: [CatalogueEntry]) throws {
        var seen = Set<String>()
        for name in entries.flatMap(\.names) where !seen.insert(name).inserted {
            throw APIError(.invalidRequest, "Two models are called `\(name)`.", remedy: "Give one another name with --served-model-name or in the configuration file.")
        }
        self.entries = entries
    }

    /// The entry for a request that can be served by any of `kinds`, the preferred kind first.
    ///
    /// A named model must exist (404, `param: model`) and be able. Without a name the default of the most preferred kind is
    /// taken, else the first; 404 when there is none.
    public func entry(named name: String?, kinds: [ModelKind], task: String) throws -> CatalogueEntry {
        if let name, !name.isEmpty {
            guard let entry = entries.first(where: { $0.names.contains(name) }) else {
                throw APIError.modelNotFound(name, served: entries.map(\.id))
            }
            guard entry.kind.map(kinds.contains) ?? true else {
                throw APIError(.notFound, "The model `\(name)` cannot do \(task).", remedy: servedKinds, param: "model")
            }
            return entry
        }
        for kind in kinds {
            let able = entries.filter { $0.kind == kind }
            if let entry = able.first(where: \.isDefault) ?? able.first { return entry }
        }
        if let remote = entries.first(where: { $0.kind == nil }) { return remote }
        throw APIError(.notFound, "No served model can do \(task).", remedy: servedKinds, param: "model")
    }

    private var servedKinds: String {
        let list = entries.map { "\($0.id) (\($0.kind?.rawValue ?? "remote"))" }
        return list.isEmpty ? "No model is served." : "Served: \(list.joined(separator: ", "))."
    }
}
