import NIOCore
import OmniAPI
import OmniEngine
import Testing

@testable import OmniGateway

/// A backend that only has a state.
final class StillBackend: Backend {
    let status: BackendStatus
    var outstanding: Int { 0 }

    init(_ state: BackendStatus.State = .ready, capabilities: Set<ModelCapability>? = nil) {
        var status = BackendStatus(state: state, root: "/models/x")
        status.capabilities = capabilities
        self.status = status
    }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse { throw APIError(.unavailable, "It only stands here.") }
    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}
}

private func entry(
    _ id: String, _ kind: ModelKind?, aliases: [String] = [], isDefault: Bool = false, capabilities: Set<ModelCapability>? = nil
) -> CatalogueEntry {
    CatalogueEntry(id: id, aliases: aliases, kind: kind, isDefault: isDefault, backend: StillBackend(capabilities: capabilities))
}

@Suite("Choice of a model")
struct CatalogueTests {
    @Test("a name or an alias finds its model")
    func names() throws {
        let catalogue = try Catalogue([entry("a", .text, aliases: ["org/a", "tiny"]), entry("b", .text)])
        for (name, id) in [("a", "a"), ("org/a", "a"), ("tiny", "a"), ("b", "b")] {
            #expect(try catalogue.entry(named: name, able: [.chat], task: "chat").id == id)
        }
    }

    @Test(
        "an unknown name is 404 on `model` and says what is served, whatever the case of its letters", arguments: ["c", "A", "a ", "../a"])
    func unknown(name: String) throws {
        let catalogue = try Catalogue([entry("a", .text)])
        #expect { try catalogue.entry(named: name, able: [.chat], task: "chat") } throws: { error in
            let error = error as? APIError
            return error?.status == 404 && error?.param == "model" && error?.fullMessage.contains("a") == true
        }
    }

    @Test("a model of the wrong kind is 404 on `model`, naming the task")
    func wrongKind() throws {
        let catalogue = try Catalogue([entry("speaker", .speech)])
        #expect { try catalogue.entry(named: "speaker", able: [.chat], task: "chat") } throws: { error in
            let error = error as? APIError
            return error?.status == 404 && error?.param == "model" && error?.fullMessage.contains("chat") == true
                && error?.fullMessage.contains("speaker (speech)") == true
        }
    }

    @Test("without a name the most preferred kind counts, then the default, then the order", arguments: [nil, ""])
    func unnamed(name: String?) throws {
        let entries = [
            entry("far", nil), entry("t1", .text), entry("t2", .text, isDefault: true), entry("i1", .image), entry("i2", .image),
        ]
        let catalogue = try Catalogue(entries)
        #expect(try catalogue.entry(named: name, able: [.chat], task: "x").id == "t2")
        #expect(try catalogue.entry(named: name, able: [.images, .chat], task: "x").id == "i1")
        #expect(try catalogue.entry(named: name, able: [.speech, .chat], task: "x").id == "t2")
        #expect(try catalogue.entry(named: name, able: [.speech], task: "x").id == "far", "a server elsewhere may be able")
    }

    @Test("a loaded model is asked for all that it says it can do, one that has said nothing for what its kind can")
    func capabilities() throws {
        let omni = entry("omni", .text, capabilities: [.chat, .speech])
        let catalogue = try Catalogue([entry("chat", .text), omni, entry("voice", .speech, isDefault: true)])
        #expect(try catalogue.entry(named: "omni", able: [.speech], task: "speech").id == "omni")
        #expect(throws: APIError.self) { try catalogue.entry(named: "chat", able: [.speech], task: "speech") }
        #expect(try catalogue.entry(named: nil, able: [.speech], task: "speech").id == "voice")
        #expect(try Catalogue([omni]).entry(named: nil, able: [.images, .speech], task: "x").id == "omni")
    }

    @Test("nobody able is 404, and an empty catalogue says that it is empty")
    func nobody() throws {
        for (catalogue, word) in [(try Catalogue([entry("t", .text)]), "t (text)"), (try Catalogue([]), "No model is served")] {
            #expect { try catalogue.entry(named: nil, able: [.images], task: "image generation") } throws: { error in
                let error = error as? APIError
                return error?.status == 404 && error?.fullMessage.contains("image generation") == true
                    && error?.fullMessage.contains(word) == true
            }
        }
    }

    @Test("a name given twice is refused at the start", arguments: [["a", "a"], ["b", "x"]])
    func twice(ids: [String]) {
        #expect(throws: APIError.self) { try Catalogue([entry(ids[0], .text, aliases: ["x"]), entry(ids[1], .text)]) }
    }
}

@Suite("Health report")
struct HealthReportTests {
    private func report(_ states: [BackendStatus.State], isDraining: Bool = false) throws -> (HealthReport, JSONValue, JSONValue) {
        let models = states.enumerated().map { ("m\($0)", BackendStatus(state: $1, root: "")) }
        let report = HealthReport(models.map { (id: $0.0, status: $0.1) }, isDraining: isDraining)
        return (report, try JSONValue.parse(report.body.readableBytesView), try JSONValue.parse(report.readyBody.readableBytesView))
    }

    @Test(
        "the status, the word and the readiness",
        arguments: [
            ([.ready], 200, "healthy", 200), ([.asleep], 200, "healthy", 200), ([.loading(0.5)], 503, "loading", 503),
            ([.restarting], 503, "loading", 503),
            ([.failed(reason: "cut")], 503, "unhealthy", 503), ([], 503, "unhealthy", 503), ([.ready, .loading(0.5)], 200, "healthy", 503),
            ([.ready, .restarting], 200, "healthy", 503), ([.ready, .failed(reason: "cut")], 200, "healthy", 200),
            ([.failed(reason: "x"), .loading(0)], 503, "loading", 503),
        ] as [([BackendStatus.State], Int, String, Int)])
    func table(states: [BackendStatus.State], status: Int, word: String, ready: Int) throws {
        let (report, body, readyBody) = try report(states)
        #expect(report.status == status)
        #expect(body["status"] == .string(word))
        #expect(report.readyStatus == ready)
        #expect(readyBody["ready"] == .bool(ready == 200))
        let drained = try self.report(states, isDraining: true)
        #expect(drained.0.status == 503 && drained.0.readyStatus == 503 && drained.1["status"] == "draining")
    }

    @Test("each model's word in the contract's terms, and why one failed")
    func words() throws {
        let (_, body, _) = try report([.ready, .loading(0.1), .restarting, .asleep, .failed(reason: "cut short")])
        #expect(body["models"]?.jsonText == #"{"m0":"ready","m1":"loading","m2":"loading","m3":"asleep","m4":"failed"}"#)
        #expect(body["faults"]?.jsonText == #"{"m4":"cut short"}"#)
    }

    @Test("the percentage is the mean, and never 100 before all is done")
    func percent() throws {
        #expect(try report([.loading(0.25), .ready]).2["progress_percent"] == 62)
        #expect(try report([.loading(1), .ready]).2["progress_percent"] == 99)
        #expect(try report([.loading(0)]).2["progress_percent"] == 0)
        #expect(try report([.ready, .asleep]).2["progress_percent"] == 100)
    }

    @Test("OpenAI's names lead to the default model of their kind, where the server takes them")
    func openAINames() throws {
        let entries = [entry("a", .text), entry("b", .text, isDefault: true), entry("v", .embedding)]
        let closed = try Catalogue(entries)
        let error = #expect(throws: APIError.self) { try closed.entry(named: "gpt-4o-mini", able: [.chat], task: "chat") }
        #expect(error?.status == 404 && error?.param == "model" && error?.fullMessage.contains("--openai-aliases") == true)
        let plain = #expect(throws: APIError.self) { try closed.entry(named: "nobody", able: [.chat], task: "chat") }
        #expect(plain?.fullMessage.contains("--openai-aliases") == false)

        let open = try Catalogue(entries, takesOpenAINames: true)
        let found = try open.entry(named: "gpt-4o-mini", able: [.chat], task: "chat")
        #expect(found.id == "b" && found.standsInFor == "gpt-4o-mini")
        #expect(try open.entry(named: "text-embedding-3-small", able: [.embeddings], task: "embeddings").id == "v")
        #expect(try open.entry(named: "a", able: [.chat], task: "chat").standsInFor == nil)
        // Another kind's name, and a kind that nobody has.
        #expect(throws: APIError.self) { try open.entry(named: "text-embedding-3-small", able: [.chat], task: "chat") }
        #expect(throws: APIError.self) { try open.entry(named: "whisper-1", able: [.transcription], task: "transcription") }
    }
}
