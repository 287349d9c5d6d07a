import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway

/// The query of `GET /v1/capabilities`.
struct CapabilityQuery: WireObject {
    var model: String?
    var size: ImageSize?
    var frames: Int?

    static var fields: [Field<CapabilityQuery>] {
        [
            .optional("model", \.model, .string, "Only this model."),
            .optional("size", \.size, .imageSize, "Price a picture, or a clip, of this size too."),
            .optional("num_frames", \.frames, .integer(1...Int(Int32.max)), "Price a clip of this many frames too; one that the model cannot film has no price."),
        ]
    }
}

extension GatewayRoutes {
    func addCapabilities(to table: inout RouteTable) {
        let doc = RouteDoc("What each served model can do, within which limits, and what memory a request takes.", .models)
            .query(CapabilityQuery.self)
            .answers(CapabilityList.self)
            .fails(.badRequest, .notFound)
        table.add(.get, "/v1/capabilities", doc) { request, context in
            let query = try request.query(CapabilityQuery.self)
            if let size = query.size { try context.limits.images.check(size, param: "query.size") }
            let all = gateway.catalogue.entries
            let entries = all.filter { entry in query.model.map(entry.names.contains) ?? true }
            if entries.isEmpty, let model = query.model { throw APIError.modelNotFound(model, served: all.map(\.id)) }
            var list = CapabilityList()
            list.data = await withTaskGroup(of: (Int, ModelCapabilities).self) { group in
                for (place, entry) in entries.enumerated() {
                    group.addTask { (place, await capabilities(of: entry, query, context.limits)) }
                }
                return await group.reduce(into: [Int: ModelCapabilities]()) { $0[$1.0] = $1.1 }.sorted { $0.key < $1.key }.map(\.value)
            }
            return .json(list.json)
        }
    }

    /// A model that does not serve now is not woken or waited for: it tells its kind only.
    private func capabilities(of entry: CatalogueEntry, _ query: CapabilityQuery, _ limits: RequestLimits) async -> ModelCapabilities {
        let status = entry.backend.status
        var told = ModelCapabilities()
        if status.state == .ready {
            let path = entry.kind == nil ? "/v1/capabilities" : "/internal/capabilities"
            let asked = [query.size.map { "size=\($0)" }, query.frames.map { "num_frames=\($0)" }].compactMap(\.self)
            let request = UpstreamRequest(method: "GET", path: path + (asked.isEmpty ? "" : "?" + asked.joined(separator: "&")), headers: [])
            if let reply = try? await entry.backend.send(request), reply.status == 200, let text = try? await reply.text(upTo: 1 << 20),
                let json = try? JSONValue.parse(text) {
                // A server elsewhere answers with the list of its models.
                let own = entry.kind == nil ? json["data"]?.arrayValue?.first { $0["id"]?.stringValue == entry.id } : json
                told = own.flatMap { try? ModelCapabilities(json: $0) } ?? told
            }
        }
        told.id = entry.id
        told.aliases = entry.aliases
        told.state = status.word
        told.isDefault = entry.isDefault
        if let kind = entry.kind {
            told.kind = kind.rawValue
            (told.inputModalities, told.outputModalities) = kind.modalities(parts: status.inputParts)
            if told.video?.startsFromPicture == false { told.inputModalities = ["text"] }
            told.endpoints = kind.endpoints
        }
        told.maxBodyBytes = limits.maxBodySize
        return told
    }
}

extension WorkerRoutes {
    func addCapabilities(to table: inout RouteTable) {
        table.add(.get, "/internal/capabilities", "What the model can do; for the gateway.") { request, context in
            let model = try worker.require((any ServedModel).self, task: "anything")
            let query = try request.query(CapabilityQuery.self)
            var told = ModelCapabilities()
            told.kind = model.card.kind.rawValue
            switch model {
            case let model as any ImageModel: told.image = await ImageCapabilities(model, limits: context.limits.images, size: query.size)
            case let model as any VideoModel: told.video = await VideoCapabilities(model, size: query.size, frames: query.frames)
            case let model as any SpeechModel: told.speech = SpeechCapabilities(model)
            default: told.text = TextCapabilities(model.card)
            }
            return .json(told.json)
        }
    }
}

extension ModelKind {
    /// What goes in and comes out; `parts` are the content parts that prompts may hold besides text.
    func modalities(parts: [String]) -> (input: [String], output: [String]) {
        switch self {
        case .text:
            let names = ["image_url": "image", "input_audio": "audio", "audio_url": "audio", "video_url": "video"]
            return (["text"] + parts.compactMap { names[$0] }.uniqued(), ["text"])
        case .embedding: return (["text"], ["embedding"])
        case .image: return (["text", "image"], ["image"])
        case .video: return (["text", "image"], ["video"])
        case .speech: return (["text"], ["audio"])
        case .transcription: return (["audio"], ["text"])
        }
    }

    /// The paths that lead to a model of this kind.
    var endpoints: [String] {
        switch self {
        case .text: ["/v1/chat/completions", "/v1/chat/completions/batch", "/v1/completions", "/tokenize", "/detokenize"]
        case .embedding: ["/v1/embeddings"]
        case .image: ["/v1/images/generations", "/v1/images/edits", "/v1/chat/completions", "/v1/chat/completions/batch"]
        case .video: ["/v1/videos", "/v1/videos/sync", "/v1/videos/generations"]
        case .speech: ["/v1/audio/speech", "/v1/audio/speech/batch", "/v1/audio/speech/stream", "/v1/audio/voices"]
        case .transcription: ["/v1/audio/transcriptions"]
        }
    }
}

extension Request {
    /// The query, decoded and checked as a body is; the errors' `param` begins with `query`.
    func query<Query: WireObject>(_: Query.Type) throws -> Query {
        let members = uri.queryParameters.map { (String($0.key), JSONValue.string(String($0.value))) }
        return try Query(json: .object(JSONObject(members)), at: .root("query"))
    }
}
