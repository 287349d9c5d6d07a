import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests
import OmniWorkerAPI

/// `/v1/capabilities`.
struct CapabilityRoutes: RouteGroup {
    let catalogue: Catalogue
    let images: ImageRequestLimits

    func add(to table: inout RouteTable) {
        let doc = RouteDoc("What each served model can do, within which limits, and what memory a request takes.", .models)
            .query(CapabilityQuery.self)
            .answers(CapabilityList.self)
            .fails(.badRequest, .notFound)
        table.add(.get, "/v1/capabilities", doc) { request, context in
            let query = try request.query(CapabilityQuery.self)
            if let size = query.size { try images.check(size, param: "query.size") }
            let all = catalogue.all
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
            let path = entry.kind == nil ? "/v1/capabilities" : WorkerProtocol.capabilitiesPath
            let asked = [query.size.map { "size=\($0)" }, query.frames.map { "num_frames=\($0)" }].compactMap(\.self)
            let request = UpstreamRequest(
                method: "GET", path: path + (asked.isEmpty ? "" : "?" + asked.joined(separator: "&")), headers: [])
            if let reply = try? await entry.backend.send(request), reply.status == 200, let text = try? await reply.text(upTo: 1 << 20),
                let json = try? JSONValue.parse(text)
            {
                // A server elsewhere answers with the list of its models.
                let own = entry.kind == nil ? json["data"]?.arrayValue?.first { $0["id"]?.stringValue == entry.id } : json
                told = own.flatMap { try? ModelCapabilities(json: $0) } ?? told
            }
        }
        told.id = entry.id
        told.aliases = entry.aliases
        told.state = status.word
        told.isDefault = entry.isDefault
        if let kind = entry.kind, let able = entry.capabilities {
            told.kind = kind.rawValue
            let own = ModelCapability.allCases.filter(able.contains), modalities = own.map { $0.modalities(parts: status.inputParts) }
            (told.inputModalities, told.outputModalities) = (modalities.flatMap(\.input).uniqued(), modalities.flatMap(\.output).uniqued())
            if told.video?.startsFromPicture == false, own == [.video] { told.inputModalities = ["text"] }
            told.endpoints = own.flatMap(\.endpoints).uniqued()
        }
        told.maxBodyBytes = limits.maxBodySize
        return told
    }
}

extension ModelCapability {
    /// What goes in and comes out; `parts` are the content parts that prompts may hold besides text.
    fileprivate func modalities(parts: [String]) -> (input: [String], output: [String]) {
        switch self {
        case .chat:
            let names = ["image_url": "image", "input_audio": "audio", "audio_url": "audio", "video_url": "video"]
            return (["text"] + parts.compactMap { names[$0] }, ["text"])
        case .spokenChat: return (["text"], ["audio"])
        case .embeddings: return (["text"], ["embedding"])
        case .scoring: return (["text"], ["score"])
        case .classification: return (["text"], ["classes"])
        case .images: return (["text", "image"], ["image"])
        case .video: return (["text", "image"], ["video"])
        case .speech: return (["text"], ["audio"])
        case .transcription: return (["audio"], ["text"])
        }
    }

    /// The paths that lead to a model that has it.
    fileprivate var endpoints: [String] {
        switch self {
        case .chat: ["/v1/chat/completions", "/v1/chat/completions/batch", "/v1/completions", "/tokenize", "/detokenize"]
        case .spokenChat: ["/v1/chat/completions"]
        case .embeddings: ["/v1/embeddings", "/pooling"] + ScoringRoutes.paths
        case .scoring: ScoringRoutes.paths
        case .classification: ["/classify", "/pooling"]
        case .images: ["/v1/images/generations", "/v1/images/edits", "/v1/chat/completions", "/v1/chat/completions/batch"]
        case .video: ["/v1/videos", "/v1/videos/sync", "/v1/videos/generations"]
        case .speech: ["/v1/audio/speech", "/v1/audio/speech/batch", "/v1/audio/speech/stream", "/v1/audio/voices"]
        case .transcription: ["/v1/audio/transcriptions", "/v1/audio/translations"]
        }
    }
}
