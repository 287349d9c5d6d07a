import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniRequests
import OmniWorkerAPI

/// What the model is doing, told to the gateway.
struct StatusRoutes: RouteGroup {
    let worker: WorkerModel
    let metrics: MetricsRegistry

    func add(to table: inout RouteTable) {
        table.add(.get, WorkerProtocol.statusPath, "What the model is doing; for the gateway.") { _, _ in
            .json(WorkerStatus(worker.state).json)
        }
        table.add(.get, "/metrics", "Prometheus metrics of this worker.") { _, _ in
            if case .ready(let model) = worker.state {
                (model as? any MeteredModel)?.report(to: metrics, modelName: worker.servedName)
                metrics.report(model.reservation, modelName: worker.servedName)
            }
            return .text(metrics.text, contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}

extension WorkerStatus {
    /// A worker's account of its model.
    init(_ worker: WorkerModel.State) {
        switch worker {
        case .loading(let fraction):
            self.init(state: .loading)
            progress = min(max(fraction, 0), 1)
        case .failed(let reason):
            self.init(state: .failed)
            self.reason = reason
        case .ready(let model):
            self.init(state: .ready)
            kind = model.card.kind.rawValue
            capabilities = model.capabilities.map(\.rawValue).sorted()
            maxModelLength = model.card.maxModelLength
            inputParts = model.card.inputParts
            memoryBytes = model.reservation.total > 0 ? model.reservation.total : nil
            stalledSeconds = model.stalledFor?.seconds
            if model.capabilities.contains(.speech), let speech = model as? any SpeechModel {
                voices = speech.voices.map(\.name)
                clonesVoices = speech.abilities.clones
                sampleRate = speech.card.details["sample_rate"]?.intValue ?? speech.abilities.sampleRate
            }
            video = (model as? any VideoModel).map { VideoCapabilities($0.videoDefaults) }
        }
    }
}
