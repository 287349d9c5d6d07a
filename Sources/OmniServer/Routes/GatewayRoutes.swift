import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

/// The routes of the gateway: requests are checked, a model is chosen, and the request goes on to its backend. Each endpoint
/// family adds its own in a file of its own.
public struct GatewayRoutes: Sendable {
    let gateway: Gateway
    let metrics: MetricsRegistry
    let version: String
    let voices: VoiceDesk
    /// Models that are a chat model and a speech model behind it.
    let pipelines: [SpeechPipeline]
    let films: VideoDesk
    /// Whether `/docs` and `/openapi.json` are there.
    var servesReference = true

    public init(gateway: Gateway, voices: VoiceDesk, pipelines: [SpeechPipeline] = [], films: VideoDesk, metrics: MetricsRegistry, version: String) {
        self.gateway = gateway
        self.voices = voices
        self.pipelines = pipelines
        self.films = films
        self.metrics = metrics
        self.version = version
    }

    public var table: RouteTable {
        var table = RouteTable()
        addHealth(to: &table)
        addModels(to: &table)
        addCapabilities(to: &table)
        addChat(to: &table)
        addCompletions(to: &table)
        addEmbeddings(to: &table)
        addTokenization(to: &table)
        addImageGenerations(to: &table)
        addImageEdits(to: &table)
        addSpeech(to: &table)
        addVoices(to: &table)
        addVideos(to: &table)
        addOperations(to: &table)
        addComingRoutes(to: &table)
        addPages(to: &table)
        if servesReference { addDocument(to: &table) }
        return table
    }

    /// Adds a JSON route whose body is decoded and checked here and then sent to the chosen model.
    func addForwarding<Body: WireObject>(
        to table: inout RouteTable, _ path: String, _ doc: RouteDoc, task: String, kinds: [ModelKind], _: Body.Type,
        model: @escaping @Sendable (Body) -> String?
    ) {
        table.add(.post, path, doc) { request, context in
            let body = try await context.collectJSON(request)
            let (decoded, ignored) = try context.decode(Body.self, from: body)
            let entry = try gateway.catalogue.entry(named: model(decoded), kinds: kinds, task: task)
            return try await forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
        }
    }

    /// Sends a request on to a model's backend and relays the reply as it comes. When the client goes, so does the
    /// connection to the backend.
    func forward(_ request: Request, body: ByteBuffer?, to entry: CatalogueEntry, context: OmniContext, ignored: String? = nil, failure: StreamFailure = .chat) async throws -> Response {
        var headers = [("X-Request-Id", context.requestID)]
        if let type = request.headers[.contentType] { headers.append(("Content-Type", type)) }
        let upstream = UpstreamRequest(method: request.method.rawValue, path: request.uri.string, headers: headers, body: body)
        let reply = try await context.cancelOnDisconnect { try await entry.backend.send(upstream) }
        return relay(reply, from: entry, context: context, ignored: ignored, failure: failure)
    }

    func relay(_ reply: UpstreamResponse, from entry: CatalogueEntry, context: OmniContext, ignored: String?, failure: StreamFailure) -> Response {
        var headers = HTTPFields()
        for (name, value) in reply.headers where !Self.hopByHop.contains(name.lowercased()) {
            guard let name = HTTPField.Name(name) else { continue }
            headers.append(HTTPField(name: name, value: value))
        }
        if let ignored {
            // The backend may name some too, mostly the same ones.
            var names = ignored.split(separator: ",")
            for name in headers[.xIgnoredParams]?.split(separator: ",") ?? [] where !names.contains(name) { names.append(name) }
            headers[.xIgnoredParams] = names.joined(separator: ",")
        }
        let isEvents = headers[.contentType]?.hasPrefix("text/event-stream") ?? false
        let length = headers[.contentLength].flatMap { Int($0) }
        let body = ResponseBody(contentLength: length) { writer in
            let sink = EventSink(writer)
            do {
                try await context.cancelOnDisconnect {
                    for try await chunk in reply.body { try await sink.write(chunk) }
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                context.requestLogger.error("backend broke during a reply", metadata: ["model": .string(entry.id), "error": "\(error)"])
                // Only an event stream has a form for an error after the status has gone out; others are cut.
                guard isEvents else { throw error }
                try await failure.write(WorkerBackend.workerDied(entry.id), to: sink)
            }
            try await writer.finish(nil)
        }
        return Response(status: .init(code: reply.status), headers: headers, body: body)
    }

    /// RFC 9110, 7.6.1, and what our own listener writes itself.
    private static let hopByHop: Set<String> = ["connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "date", "server", "x-request-id", "vary"]
}

/// A name under which a chat model's answers are spoken by a speech model.
public struct SpeechPipeline: Sendable {
    public let id: String
    public let chat: String
    public let speech: String

    public init(id: String, chat: String, speech: String) {
        self.id = id
        self.chat = chat
        self.speech = speech
    }
}

/// How a stream of events tells that its backend broke.
enum StreamFailure: Sendable {
    /// An error object and `[DONE]`.
    case chat
    /// `speech.audio.error`.
    case speech

    func write(_ error: APIError, to sink: EventSink) async throws {
        switch self {
        case .chat:
            try await sink.failure(error)
            try await sink.done()
        case .speech:
            let event = SpeechStreamEvent.error(error, partialAudio: true)
            try await sink.event(event.name, event.json)
        }
    }
}
