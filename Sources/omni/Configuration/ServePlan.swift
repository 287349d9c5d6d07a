import ArgumentParser
import Foundation
import NIOConcurrencyHelpers
import OmniAccess
import OmniEngine
import OmniModels
import OmniText

/// One model to be served, with the names it goes by.
struct ModelPlan {
    let id: String
    let aliases: [String]
    let model: ResolvedModel
    var isDefault = false
    /// Never unloaded for being idle.
    var pin = false
    /// Further flags for its worker.
    var flags: [String] = []
}

/// A model served elsewhere.
struct BackendPlan {
    let id: String
    let urls: [String]
    var apiKey: String?

    /// `NAME=http://host:port`, several URLs apart by commas.
    init(flag text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        try self.init(id: parts.first ?? "", urls: parts.count == 2 ? parts[1].split(separator: ",").map(String.init) : [])
    }

    init(id: String, urls: [String]) throws {
        let isRight =
            !id.isEmpty && !urls.isEmpty
            && urls.allSatisfy { text in
                URL(string: text).map { ["http", "https"].contains($0.scheme) && $0.host() != nil } ?? false
            }
        guard isRight else {
            throw StartError(
                "A backend must be NAME=http://host:port; `\(id)` has \(urls.isEmpty ? "no address" : urls.joined(separator: ",")).")
        }
        self.id = id
        self.urls = urls
        // Never on a command line, where everybody on the machine could read it.
        apiKey = ProcessInfo.processInfo.environment["OMNI_BACKEND_API_KEY"]
    }
}

/// What a command line and a configuration file ask to be served: every model is found, or all that is missing is said at
/// once.
struct ServePlan {
    let models: [ModelPlan]
    /// Flags for all workers, with the draft model found.
    let engine: EngineFlags
    let backends: [BackendPlan]
    /// Further names of voices.
    let voices: [String: String]
    /// Chat models whose answers a voice speaks.
    let pipelines: [ConfigurationFile.Pipeline]
    /// API keys of the configuration file.
    let keys: [APIKey]
    /// Whether nobody named a model.
    let servesStarters: Bool

    init(command: ServeCommand) throws {
        let file = try command.config.map { try ConfigurationFile.load($0, serveFlags: ServeArguments.ownFlags) } ?? ConfigurationFile()
        voices = file.voices
        pipelines = file.pipelines
        keys = file.keys
        backends = try command.backend.map { try BackendPlan(flag: $0) } + file.backends.map { try BackendPlan(id: $0.id, urls: $0.urls) }
        let named = command.engine.components
        let names = command.models + command.modelOptions + [named.diffusionModel].compactMap(\.self)
        guard (named.names == ComponentNames() && named.lora.isEmpty) || names.count == 1 else {
            throw StartError(
                "--text-encoder, --vae, --lora and the like name files of one model; with \(names.count), put them into its flags in a --config file."
            )
        }
        // A server with a data folder of its own still finds the user's models.
        let places = [command.dataDir, nil].map { ModelResolver(locations: .fromEnvironment(dataDirectory: $0)) }
        var engine = command.engine
        try engine.locateDraft { name in try Self.first(places) { try Self.draft(name, $0) } }
        self.engine = engine
        let configured = try file.models.map { model in
            try Self.first(places) { try Self.plan(model, $0) }
        }
        servesStarters = names.isEmpty && configured.isEmpty && backends.isEmpty
        guard names.isEmpty else {
            let found = try Self.first(places) { place in
                try place.resolve(names, components: named.names).map { ($0, try Self.components(of: $0, named, place)) }
            }
            models =
                try Self.named(found, command.servedModelName, isOnly: configured.isEmpty, isPlain: engine.quantization == nil)
                + configured
            return
        }
        guard configured.isEmpty, backends.isEmpty else {
            models = configured
            return
        }
        let starters = places.lazy.map { $0.starters().filter { EngineLoader.kinds.contains($0.kind) } }.first { !$0.isEmpty } ?? []
        guard !starters.isEmpty else {
            throw StartError(
                "No model was named and no starter model is installed. `omni setup` fetches the starters; or name a model: omni serve FILE.gguf"
            )
        }
        models = try Self.named(starters.map { ($0, []) }, command.servedModelName, isOnly: true, isPlain: engine.quantization == nil)
    }

    /// What the first of `places` that can gives; the error of the last when none can.
    private static func first<Found>(_ places: [ModelResolver], _ find: (ModelResolver) throws -> Found) throws -> Found {
        for place in places.dropLast() {
            if let found = try? find(place) { return found }
        }
        return try find(places[places.count - 1])
    }

    /// `models` with the flags that say where their files are. `isPlain`: nothing is said of how weights are stored, so that a starter's own
    /// way holds.
    private static func named(_ models: [(ResolvedModel, [String])], _ given: [String], isOnly: Bool, isPlain: Bool) throws -> [ModelPlan] {
        guard given.isEmpty || (models.count == 1 && isOnly) else {
            throw StartError("--served-model-name names the one model of the command line; with several, give names in a --config file.")
        }
        return models.map { model, components in
            let flags = isPlain ? StarterModel.named(model.reference)?.flags ?? [] : []
            return ModelPlan(id: given.first ?? model.name, aliases: Array(given.dropFirst()), model: model, flags: flags + components)
        }
    }

    private static func plan(_ model: ConfigurationFile.Model, _ resolver: ModelResolver) throws -> ModelPlan {
        // Parsed here, so that a wrong flag ends the start and not the worker.
        var engine: EngineFlags
        do { engine = try EngineFlags.parse(arguments(model.flags)) } catch {
            throw StartError("The flags of model `\(model.id ?? model.path)` in the configuration file: \(EngineFlags.message(for: error))")
        }
        let resolved = try resolver.resolve(model.path, kind: model.kind, components: engine.components.names)
        // Files as they were found, and not as they were named: the worker finds none.
        var others = model.flags.filter { !ComponentFlags.flags.contains($0.key) }
        var flags = try components(of: resolved, engine.components, resolver)
        if try engine.speculation.model != nil {
            // The worker takes the last of what is said twice.
            try engine.locateDraft { try draft($0, resolver) }
            others = others.filter { !["model-draft", "speculative-config"].contains($0.key) }
            flags += ["--speculative-config", engine.speculativeConfig ?? "{}"]
        }
        flags = arguments(others) + flags
        return ModelPlan(
            id: model.id ?? resolved.name, aliases: model.aliases, model: resolved, isDefault: model.isDefault, pin: model.pin, flags: flags
        )
    }

    private static func arguments(_ flags: [String: [String]]) -> [String] {
        flags.sorted { $0.key < $1.key }.flatMap { ["--\($0.key)"] + $0.value }
    }

    /// The file of a draft model.
    private static func draft(_ name: String, _ resolver: ModelResolver) throws -> String {
        let model = try resolver.resolve(name)
        guard model.kind == .text else {
            throw StartError("The draft model \(name) is no language model but of the kind \(model.kind.rawValue).")
        }
        return model.path.path
    }
}

/// Tells the gateway that a backend changed, also before there is a gateway to tell.
final class ChangeNotifier: Sendable {
    private let handler = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)

    func connect(_ body: @escaping @Sendable () -> Void) { handler.withLockedValue { $0 = body } }

    @Sendable func fire() { handler.withLockedValue { $0 }?() }
}
