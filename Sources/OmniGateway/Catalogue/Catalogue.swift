import OmniAPI
import OmniAccess
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
    /// The model that it is an adapter of.
    public let parent: String?
    /// What is known of its files; nil for a server elsewhere.
    public var files: ModelFiles?
    /// The name of OpenAI's that a request gave, where this model answers in its place.
    public internal(set) var standsInFor: String?

    public init(
        id: String, aliases: [String] = [], kind: ModelKind?, isDefault: Bool = false, backend: any Backend, parent: String? = nil
    ) {
        self.id = id
        self.aliases = aliases
        self.kind = kind
        self.isDefault = isDefault
        self.backend = backend
        self.parent = parent
    }

    public var names: [String] { [id] + aliases }

    /// What its model can do: what its kind can until it has been loaded and says so itself; nil for a remote backend.
    public var capabilities: Set<ModelCapability>? { kind.map { backend.status.capabilities ?? $0.capabilities } }

    /// Whether its model can do that. One elsewhere is believed to.
    public func can(_ capability: ModelCapability) -> Bool { capabilities?.contains(capability) ?? true }
}

/// The models on offer, in the order of the command line, and their adapters. Models are fixed at start.
public struct Catalogue: Sendable {
    /// The models.
    public let entries: [CatalogueEntry]
    /// Low-rank adapters of language models, each a model to its clients.
    public let adapters = AdapterList()
    /// `--openai-aliases`: the names of OpenAI's models lead to the default model of their kind.
    private let takesOpenAINames: Bool

    /// Throws when two models share a name.
    public init(_ entries: [CatalogueEntry], takesOpenAINames: Bool = false) throws {
        var seen = Set<String>()
        for name in entries.flatMap(\.names) where !seen.insert(name).inserted {
            throw APIError(
                .invalidRequest, "Two models are called `\(name)`.",
                remedy: "Give one another name with --served-model-name or in the configuration file.")
        }
        self.entries = entries
        self.takesOpenAINames = takesOpenAINames
    }

    /// Models and their adapters.
    public var all: [CatalogueEntry] { entries + adapters.entries }

    /// Those that the request's key may use; all where there are no keys.
    public var offered: [CatalogueEntry] {
        guard let lease = KeyLease.current else { return all }
        return all.filter { lease.allows(model: $0.names) }
    }

    /// The entry for a request that needs one of `wanted`, the preferred one first.
    ///
    /// A named model must exist (404, `param: model`), be able, and be one that the request's key may use (403). Without a name the default
    /// among those with the most preferred capability is taken, else the first of them; 404 when there is none.
    public func entry(named name: String?, able wanted: [ModelCapability], task: String) throws -> CatalogueEntry {
        if let name, !name.isEmpty {
            let entry = try entry(named: name)
            guard entry.capabilities.map({ !$0.isDisjoint(with: wanted) }) ?? true else {
                throw APIError(.notFound, "The model `\(name)` cannot do \(task).", remedy: able(wanted), param: "model")
            }
            try KeyLease.current?.check(model: entry.names + [entry.standsInFor].compactMap(\.self))
            return entry
        }
        let entries = offered
        for capability in wanted {
            let able = entries.filter { $0.capabilities?.contains(capability) ?? false }
            if let entry = able.first(where: \.isDefault) ?? able.first { return entry }
        }
        if let remote = entries.first(where: { $0.kind == nil }) { return remote }
        // The key's scope is the reason where another key would find one.
        let able = { (entry: CatalogueEntry) in wanted.contains { entry.can($0) } }
        if let other = self.entries.first(where: able) { try KeyLease.current?.check(model: other.names) }
        throw APIError(.notFound, "No served model can do \(task).", remedy: servedKinds, param: "model")
    }

    /// The entry of that name, or the one that stands in for it. Throws 404.
    public func entry(named name: String) throws -> CatalogueEntry {
        if let entry = all.first(where: { $0.names.contains(name) }) { return entry }
        guard let capability = OpenAIModelNames.capability(of: name) else { throw APIError.modelNotFound(name, served: all.map(\.id)) }
        // A server elsewhere would be asked for the name itself, which it may not have.
        let able = offered.filter { $0.capabilities?.contains(capability) ?? false }
        guard takesOpenAINames, var entry = able.first(where: \.isDefault) ?? able.first else {
            var error = APIError.modelNotFound(name, served: all.map(\.id))
            if !takesOpenAINames {
                let hint = "Started with --openai-aliases, the server takes OpenAI's names for the default model of their kind."
                error.remedy = [error.remedy, hint].compactMap(\.self).joined(separator: " ")
            }
            throw error
        }
        entry.standsInFor = name
        return entry
    }

    /// Which can do what a named one cannot.
    private func able(_ wanted: [ModelCapability]) -> String {
        let able = entries.filter { !($0.capabilities ?? []).isDisjoint(with: wanted) }.map { "`\($0.id)`" }
        return able.isEmpty ? servedKinds : "Use \(able.joined(separator: " or ")), or name none."
    }

    private var servedKinds: String {
        let list = entries.map { "\($0.id) (\($0.kind?.rawValue ?? "remote"))" }
        return list.isEmpty ? "No model is served." : "Served: \(list.joined(separator: ", "))."
    }
}
