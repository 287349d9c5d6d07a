import NIOConcurrencyHelpers
import OmniAPI
import OmniEngine

/// A worker's model while it loads, serves, or has failed to load.
public final class WorkerModel: Sendable {
    public enum State: Sendable {
        case loading(Double)
        case ready(any ServedModel)
        case failed(reason: String)
    }

    private let box = NIOLockedValueBox(State.loading(0))
    /// The name that replies carry.
    public let servedName: String

    public init(servedName: String) { self.servedName = servedName }

    public var state: State {
        get { box.withLockedValue { $0 } }
        set { box.withLockedValue { $0 = newValue } }
    }

    /// What the model can do; nil unless it serves.
    var capabilities: Set<ModelCapability>? {
        if case .ready(let model) = state { model.capabilities } else { nil }
    }

    /// Throws 503 while the model loads, and 404 unless it has one of `capabilities`.
    func check(_ capabilities: Set<ModelCapability>, task: String) throws {
        guard !(try model().capabilities.isDisjoint(with: capabilities)) else { throw cannot(task) }
    }

    /// The model as one that does what a mounted route needs. 503 while it loads, 404 when it does not.
    func model<Kind>(as _: Kind.Type) throws -> Kind {
        guard let able = try model() as? Kind else { throw cannot("this") }
        return able
    }

    private func cannot(_ task: String) -> APIError {
        APIError(.notFound, "The model `\(servedName)` cannot do \(task).", param: "model")
    }

    /// The model. 503 while it loads.
    func model() throws -> any ServedModel {
        switch state {
        case .loading(let fraction):
            throw APIError(
                .unavailable, "The model `\(servedName)` is loading (\(Int(fraction * 100)) %).", remedy: "Try again in a moment.",
                retryAfter: 1)
        case .failed(let reason): throw APIError(.unavailable, "The model `\(servedName)` cannot be served: \(reason)", retryAfter: 60)
        case .ready(let model): return model
        }
    }
}
