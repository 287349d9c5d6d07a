import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
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

    /// The model as `Kind`. 503 while it loads, 404 when it is of another kind.
    func require<Kind>(_ kind: Kind.Type, task: String) throws -> Kind {
        switch state {
        case .loading(let fraction):
            throw APIError(.unavailable, "The model `\(servedName)` is loading (\(Int(fraction * 100)) %).", remedy: "Try again in a moment.", retryAfter: 1)
        case .failed(let reason): throw APIError(.unavailable, "The model `\(servedName)` cannot be served: \(reason)", retryAfter: 60)
        case .ready(let model):
            guard let able = model as? Kind else { throw APIError(.notFound, "The model `\(servedName)` cannot do \(task).", param: "model") }
            return able
        }
    }
}

/// The routes of a worker: the same wire API as the gateway's, answered by the engine in this process.
public struct WorkerRoutes: Sendable {
    let worker: WorkerModel
    let metrics: MetricsRegistry
    /// One request for pictures at a time.
    let turnstile = Turnstile()
    /// Gets what requests name by URL.
    let fetcher: any MediaFetcher
    let muxing: MuxingOptions

    public init(worker: WorkerModel, metrics: MetricsRegistry, fetcher: any MediaFetcher, muxing: MuxingOptions = MuxingOptions()) {
        self.worker = worker
        self.metrics = metrics
        self.fetcher = fetcher
        self.muxing = muxing
    }

    public var table: RouteTable {
        var table = RouteTable()
        addInternal(to: &table)
        addCapabilities(to: &table)
        addChat(to: &table)
        addCompletions(to: &table)
        addEmbeddings(to: &table)
        addTokenization(to: &table)
        addImageGenerations(to: &table)
        addImageEdits(to: &table)
        addSpeech(to: &table)
        addFilming(to: &table)
        return table
    }

    private func addInternal(to table: inout RouteTable) {
        table.add(.get, "/internal/status", "What the model is doing; for the gateway.") { _, _ in
            switch worker.state {
            case .loading(let fraction): return .json(["state": "loading", "progress": .number(fraction)])
            case .failed(let reason): return .json(["state": "failed", "reason": .string(reason)])
            case .ready(let model):
                return .json([
                    "state": "ready", "kind": .string(model.card.kind.rawValue), "max_model_len": model.card.maxModelLength.map { .int($0) } ?? .null,
                    "input_parts": .array(model.card.inputParts.map { .string($0) }), "details": .object(model.card.details),
                    "voices": .array(((model as? any SpeechModel)?.voices ?? []).map { .string($0.name) }),
                    "clones_voices": .bool((model as? any SpeechModel)?.abilities.clones ?? false),
                    "video": (model as? any VideoModel).map { VideoCapabilities($0.videoDefaults).json } ?? .null,
                    "stalled_seconds": .number(model.stalledFor?.seconds ?? 0),
                ])
            }
        }
        table.add(.get, "/metrics", "Prometheus metrics of this worker.") { _, _ in
            if case .ready(let model) = worker.state { (model as? any MeteredModel)?.report(to: metrics, modelName: worker.servedName) }
            return .text(metrics.text, contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}
