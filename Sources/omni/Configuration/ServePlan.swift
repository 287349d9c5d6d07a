import Foundation
import NIOConcurrencyHelpers
import OmniModels

/// One model to be served, with the names it goes by.
struct ModelPlan {
    let id: String
    let aliases: [String]
    let model: ResolvedModel
    /// Further flags for its worker.
    var flags: [String] = []
}

/// What a command line asks to be served: every model is found, or all that is missing is said at once.
struct ServePlan {
    let models: [ModelPlan]

    init(command: ServeCommand) throws {
        let resolver = ModelResolver()
        let names = command.models + command.modelOptions
        let resolved = names.isEmpty ? resolver.starters().filter { EngineLoader.kinds.contains($0.kind) } : try resolver.resolve(names)
        guard !resolved.isEmpty || !command.backend.isEmpty else {
            throw StartError("No model was named and no starter model is installed. Run `make serve` once, or name a model: omni serve FILE.gguf")
        }
        let given = command.servedModelName
        guard given.isEmpty || resolved.count == 1 else {
            throw StartError("--served-model-name names one model; with several, give names in a --config file.")
        }
        models = resolved.map { ModelPlan(id: given.first ?? $0.name, aliases: Array(given.dropFirst()), model: $0) }
    }
}

/// Tells the gateway that a backend changed, also before there is a gateway to tell.
final class ChangeSignal: Sendable {
    private let handler = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)

    func connect(_ body: @escaping @Sendable () -> Void) { handler.withLockedValue { $0 = body } }

    @Sendable func fire() { handler.withLockedValue { $0 }?() }
}
