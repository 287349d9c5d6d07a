import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/api/version`, `/api/tags`, `/api/ps` and `/api/show` of Ollama's API, and those that have no meaning here.
struct OllamaModelRoutes: RouteGroup {
    let catalogue: Catalogue
    /// The version of Ollama whose API this is: clients look at it before they use a field.
    private static let version = "0.12.6"

    func add(to table: inout RouteTable) {
        table.add(.get, "/api/version", RouteDoc("The version of Ollama whose API this is.", .server).answers(VersionReply.self)) { _, _ in
            .json(["version": .string(Self.version)])
        }
        table.add(.get, "/api/tags", RouteDoc("The models, as Ollama lists them.", .models).answers(OllamaModelList.self)) { _, _ in
            .json(list { OllamaModel($0) }.json)
        }
        table.add(.get, "/api/ps", RouteDoc("The models in memory, as Ollama lists them.", .models).answers(OllamaModelList.self)) { _, _ in
            .json(list { $0.parent == nil && $0.backend.status.state == .ready ? OllamaModel(loaded: $0) : nil }.json)
        }
        let show = RouteDoc("What is known of a model, as Ollama tells it.", .models)
            .takes(OllamaShowRequest.self, example: [:]).answers(OllamaShowReply.self)
            .fails(.reading + [.notFound])
        table.add(.post, "/api/show", show) { request, context in
            let (asked, ignored) = try context.decode(
                OllamaShowRequest.self, from: try await context.collectJSON(request, ofAnyType: true))
            let entry = try catalogue.ollamaEntry(asked.model, able: [.chat, .embeddings], keepAlive: nil)
            return .json(OllamaShowReply(entry).json, ignored: ignored)
        }
        let refused: [(HTTPRequest.Method, String)] = [
            (.post, "/api/pull"), (.post, "/api/push"), (.post, "/api/create"), (.post, "/api/copy"), (.delete, "/api/delete"),
        ]
        for (method, path) in refused {
            let doc = RouteDoc("Not served: models are named when the server starts.", .models)
                .takes(.inline { ["type": "object"] }).withOptionalBody().fails(.notFound, .tooLarge)
            table.add(method, path, doc) { request, context in
                _ = try await context.collectBody(request)
                throw APIError(
                    .notFound, "This server is no Ollama: \(path) is not served.",
                    remedy: "Fetch a model with `omni models pull` and name it when the server starts.")
            }
        }
    }

    /// Models that chat or make vectors.
    private func list(_ describe: (CatalogueEntry) -> OllamaModel?) -> OllamaModelList {
        var list = OllamaModelList()
        list.models = catalogue.offered.filter { $0.can(.chat) || $0.can(.embeddings) }.compactMap(describe)
        return list
    }
}

extension OllamaModel {
    fileprivate init(_ entry: CatalogueEntry) {
        self.init()
        name = entry.id.contains(":") ? entry.id : "\(entry.id):latest"
        model = name
        details = OllamaDetails(entry)
        let files = entry.files
        size = Int(clamping: files?.bytes ?? 0)
        modifiedAt = Date(timeIntervalSince1970: files?.changed ?? 0).ollamaText
        let identity = "\(entry.backend.status.root) \(size) \(files?.changed ?? 0)"
        digest = SHA256.hash(data: Data(identity.utf8)).hexText
    }

    /// One that is in memory.
    fileprivate init(loaded entry: CatalogueEntry) {
        self.init(entry)
        let status = entry.backend.status
        modifiedAt = nil
        size = status.memoryBytes ?? size
        (videoMemory, contextLength) = (0, status.maxModelLength)
        expiresAt = status.unloadsAfter.map { Date(timeIntervalSinceNow: $0.seconds).ollamaText }
    }
}

extension OllamaDetails {
    fileprivate init(_ entry: CatalogueEntry) {
        self.init()
        parentModel = entry.parent ?? ""
        (format, family) = (entry.files?.format ?? "", entry.files?.architecture ?? "")
        families = family.isEmpty ? [] : [family]
    }
}

extension OllamaShowReply {
    fileprivate init(_ entry: CatalogueEntry) {
        self.init()
        let status = entry.backend.status, family = entry.files?.architecture ?? ""
        details = OllamaDetails(entry)
        modelInfo["general.architecture"] = .string(family)
        if let length = status.maxModelLength { modelInfo["\(family.isEmpty ? "general" : family).context_length"] = .int(length) }
        capabilities = (entry.can(.chat) ? ["completion", "tools"] : []) + (status.inputParts.contains("image_url") ? ["vision"] : [])
        if entry.can(.embeddings) { capabilities.append("embedding") }
        modifiedAt = entry.files.map { Date(timeIntervalSince1970: $0.changed).ollamaText }
    }
}
