import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests
import OmniWorkerAPI

/// What the model can do, told to the gateway.
struct CapabilityRoutes: RouteGroup {
    let worker: WorkerModel
    let images: ImageRequestLimits
    let audio: AudioLimits

    func add(to table: inout RouteTable) {
        table.add(.get, WorkerProtocol.capabilitiesPath, "What the model can do; for the gateway.") { request, _ in
            let model = try worker.model()
            let query = try request.query(CapabilityQuery.self)
            var told = ModelCapabilities()
            told.kind = model.card.kind.rawValue
            told.memory = ModelMemory(model.reservation)
            let able = model.capabilities
            if able.contains(.images), let model = model as? any ImageModel {
                told.image = await ImageCapabilities(model, limits: images, size: query.size)
            }
            if able.contains(.video), let model = model as? any VideoModel {
                told.video = await VideoCapabilities(model, limits: images, size: query.size, frames: query.frames)
            }
            if able.contains(.speech), let model = model as? any SpeechModel { told.speech = SpeechCapabilities(model) }
            if able.contains(.transcription), let model = model as? any TranscriptionModel {
                told.transcription = TranscriptionCapabilities(model.abilities, limits: audio)
            }
            if !able.isDisjoint(with: [.chat, .embeddings, .classification]) { told.text = TextCapabilities(model.card) }
            if able.contains(.spokenChat), let model = model as? any SpokenChatModel { told.text?.voices = model.chatVoices.map(\.name) }
            return .json(told.json)
        }
    }
}
