import Foundation
import HTTPTypes
import Logging
import NIOPosix
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests
import OmniStore
import Testing

@testable import OmniGatewayServer

/// The document at `/openapi.json` against the routes that it describes: neither may know what the other does not.
@Suite struct OpenAPITests {
    private let table: RouteTable
    private let document: OpenAPIDocument
    /// Never used, and never let go: a client must be shut down before.
    private static let client = UpstreamClient(group: MultiThreadedEventLoopGroup.singleton)

    init() throws {
        let catalogue = try Catalogue([])
        let folder = FileManager.default.temporaryDirectory.appending(path: "openapi-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let runner = JobRunner(
            store: MemoryJobStore(), files: try JobFiles(folder: folder), catalogue: catalogue, logger: Logger(label: "test"))
        let routes = GatewayRoutes(
            gateway: Gateway(catalogue: catalogue, client: Self.client), voices: VoiceResolver(store: MemoryVoiceStore()),
            videos: VideoJobService(runner: runner, fetcher: NoFetcher(), limits: ImageRequestLimits()), metrics: .init(), version: "test")
        table = routes.table
        document = OpenAPIDocument(table, sockets: routes.sockets, version: "test")
    }

    private func operation(_ route: RouteTable.Route) -> JSONValue? {
        document.json["paths"]?[route.documentedPath]?[route.method.rawValue.lowercased()]
    }

    @Test func everyRouteIsDocumentedAndNothingElse() {
        let documented = (document.json["paths"]?.objectValue?.members ?? []).flatMap { path, item in
            (item.objectValue?.keys ?? []).map { "\($0) \(path)" }
        }
        #expect(documented.sorted() == table.routes.map { "\($0.method.rawValue.lowercased()) \($0.documentedPath)" }.sorted())
    }

    /// Those that no build can serve, or can serve yet, have errors only.
    private static let coming: Set = [
        "/v1/audio/generate", "/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete",
    ]

    @Test func everyRouteSaysWhatGoesInAndWhatComesOut() throws {
        for route in table.routes {
            let said = try #require(operation(route))
            let statuses = (said["responses"]?.objectValue?.keys ?? []).compactMap { Int($0) }
            #expect(Self.coming.contains(route.path) || statuses.contains { $0 < 400 }, "\(route.path) says nothing of success")
            #expect(statuses.contains(500), "\(route.path)")
            // A picture's link takes no key.
            if route.path.hasPrefix("/v1"), route.path != "/v1/images/{id}/content" { #expect(statuses.contains(401), "\(route.path)") }
            // A range that is not there has no words for it: RFC 9110, 15.5.17.
            for status in statuses where status >= 400 && status != 416 {
                let content = said["responses"]?[String(status)]?["content"]?["application/json"]
                #expect(content?["schema"] != nil, "\(route.path) \(status)")
            }
            if [.post, .put].contains(route.method), route.path.hasPrefix("/v1"), !Self.coming.contains(route.path) {
                #expect(said["requestBody"] != nil, "\(route.path) says nothing of its body")
                #expect(statuses.contains(400) && statuses.contains(413), "\(route.path)")
            }
        }
    }

    @Test func modelRoutesSayThatTheyMayHaveToWaitOrLackMemory() throws {
        for path in ["/v1/chat/completions", "/v1/images/generations", "/v1/audio/speech", "/v1/embeddings"] {
            let responses = document.json["paths"]?[path]?["post"]?["responses"]
            for status in ["404", "503", "507"] { #expect(responses?[status] != nil, "\(path) \(status)") }
            #expect(responses?["503"]?["headers"]?["Retry-After"] != nil)
        }
    }

    @Test func pathParametersAreDeclared() {
        for route in table.routes {
            let names = route.documentedPath.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
            let declared = (operation(route)?["parameters"]?.arrayValue ?? []).filter { $0["in"] == "path" }.compactMap {
                $0["name"]?.stringValue
            }
            #expect(declared == names, "\(route.path)")
        }
    }

    @Test func referencesLeadSomewhereAndNamesAreUnique() {
        var named = Set<String>()
        func walk(_ json: JSONValue) {
            switch json {
            case .object(let object):
                if let name = object["$ref"]?.stringValue { named.insert(name) }
                object.members.forEach { walk($0.value) }
            case .array(let elements): elements.forEach(walk)
            default: break
            }
        }
        walk(document.json)
        let schemas = Set((document.json["components"]?["schemas"]?.objectValue?.keys ?? []).map { "#/components/schemas/\($0)" })
        #expect(named == schemas)
        #expect(document.clashes.isEmpty)
        let ids = table.routes.map(\.operationID)
        #expect(Set(ids).count == ids.count)
    }

    /// Ranges come from the types that decode.
    @Test func rangesStandInTheSchemas() {
        let chat = document.json["components"]?["schemas"]?["ChatCompletionRequest"]
        let temperature = chat?["properties"]?["temperature"]?["anyOf"]?[0]
        #expect(temperature?["minimum"]?.doubleValue == 0)
        #expect(temperature?["maximum"]?.doubleValue == 1000)
        #expect(chat?["required"] == ["messages"])
        let images = document.json["components"]?["schemas"]?["ImageGenerationRequest"]?["properties"]
        #expect(images?["n"]?["anyOf"]?[0]?["maximum"]?.intValue == 10)
        #expect(images?["n"]?["default"]?.intValue == 1)
    }

    /// A default is a value that its own schema allows.
    @Test func defaultsKeepToTheirSchemas() throws {
        func check(_ json: JSONValue, _ place: String) throws {
            if case .array(let elements) = json { return try elements.enumerated().forEach { try check($1, "\(place)/\($0)") } }
            guard let object = json.objectValue else { return }
            if let standard = object["default"], let type = object["type"]?.stringValue {
                let types = [standard.typeName, standard.intValue == nil ? "" : "integer", standard.doubleValue == nil ? "" : "number"]
                #expect(
                    types.contains(type) || (type == "boolean" && standard.boolValue != nil), "\(place): \(standard.jsonText) is no \(type)"
                )
                if let pattern = object["pattern"]?.stringValue, let text = standard.stringValue {
                    #expect(try Regex(pattern).wholeMatch(in: text) != nil, "\(place): \(text) is not as \(pattern)")
                }
                if let choices = object["enum"]?.arrayValue { #expect(choices.contains(standard), "\(place): \(standard.jsonText)") }
            }
            for (key, value) in object.members where key != "example" { try check(value, "\(place)/\(key)") }
        }
        try check(document.json, "")
    }

    @Test func theSizeOfAnEditIsDescribedAsItIsTaken() throws {
        let pattern = try Regex(try #require(ImageEditRequest.schema["properties"]?["size"]?["anyOf"]?[0]?["pattern"]?.stringValue))
        for text in ["auto", "AUTO", "64x32", " 64 x 32 ", "64X32", "64", "autox", "", "\t64x32"] {
            let isTaken = (try? ImageEditRequest(json: ["prompt": "x", "size": .string(text)])) != nil
            #expect(isTaken == (text.wholeMatch(of: pattern) != nil), "\(text)")
        }
    }

    /// The examples of the document are requests that the server takes.
    @Test func examplesAreValidRequests() throws {
        func example(_ path: String) throws -> JSONValue {
            try #require(document.json["paths"]?[path]?["post"]?["requestBody"]?["content"]?["application/json"]?["example"])
        }
        _ = try ChatCompletionRequest(json: try example("/v1/chat/completions"))
        _ = try CompletionRequest(json: try example("/v1/completions"))
        _ = try EmbeddingRequest(json: try example("/v1/embeddings"))
        _ = try TokenizeRequest(json: try example("/tokenize"))
        _ = try ImageGenerationRequest(json: try example("/v1/images/generations"))
        _ = try SpeechRequest(json: try example("/v1/audio/speech"))
        _ = try SpeechBatchRequest(json: try example("/v1/audio/speech/batch"))
        _ = try SleepRequest(json: try example("/v1/omni/sleep"))
        #expect(try ChatBatch(try example("/v1/chat/completions/batch")).requests.count == 2)
    }
}

private struct NoFetcher: MediaFetcher {
    func fetch(_ url: String, limit: Int, param: String) async throws -> [UInt8] { throw APIError(.notFound, "Nothing is fetched here.") }
}
