import Logging
import OmniAPI
import OmniEngine

/// Loads the model that a worker was started for. A new kind of engine is one more case here.
struct EngineLoader: Sendable {
    let command: WorkerCommand
    let lane: any ComputeLane
    let metrics: MetricsRegistry
    let logger: Logger

    func load(progress: @escaping @Sendable (Double) -> Void) async throws -> any ServedModel {
        guard let kind = ModelKind(rawValue: command.kind) else { throw APIError(.invalidRequest, "There is no kind of model called `\(command.kind)`.") }
        switch kind {
        default: throw APIError(.invalidRequest, "This build cannot serve \(kind.rawValue) models.")
        }
    }
}
