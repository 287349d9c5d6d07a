import HTTPTypes
import Hummingbird
import OmniAPI
import OmniWorkerAPI

extension Request {
    /// The adapter that the gateway wants laid over the model; nil for the model alone.
    var adapter: LoRAModule? {
        get throws {
            let values = HTTPField.Name(WorkerProtocol.adapterHeader).map { headers[values: $0] } ?? []
            return try values.first.map { try LoRAModule(headerValue: $0) }
        }
    }
}
