import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// Sends requests on to the backends of models, and relays what they answer.
struct Forwarder: Sendable {
    let catalogue: Catalogue

    /// Adds a JSON route whose body is decoded and checked here and then sent to the chosen model.
    func addRoute<Body: WireObject>(
        to table: inout RouteTable, _ path: String, _ doc: RouteDoc, task: String, able wanted: [ModelCapability], _: Body.Type,
        model: @escaping @Sendable (Body) -> String?, keeps: @escaping @Sendable (Body) -> KeepAlive? = { _ in nil },
        and unread: @escaping @Sendable (Body) -> [String] = { _ in [] }
    ) {
        table.add(.post, path, doc) { request, context in
            let body = try await context.collectJSON(request)
            let (decoded, ignored) = try context.decode(Body.self, from: body, and: unread)
            let entry = try catalogue.entry(named: model(decoded), able: wanted, task: task)
            if let keepAlive = keeps(decoded) { entry.backend.keep(keepAlive) }
            return try await forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
        }
    }

    /// Sends a request on to a model's backend and relays the reply as it comes. When the client goes, so does the
    /// connection to the backend.
    func forward(
        _ request: Request, body: ByteBuffer?, to entry: CatalogueEntry, context: OmniContext, ignored: String? = nil,
        failure: StreamFailure = .chat
    ) async throws -> Response {
        let reply = try await send(request, body: body, to: entry, context: context)
        return relay(reply, from: entry, context: context, ignored: ignored, failure: failure)
    }

    /// Sends a request on to a model's backend, and returns when its reply begins.
    func send(_ request: Request, body: ByteBuffer?, to entry: CatalogueEntry, context: OmniContext) async throws -> UpstreamResponse {
        var headers = [("X-Request-Id", context.requestID)]
        if let type = request.headers[.contentType] { headers.append(("Content-Type", type)) }
        let upstream = UpstreamRequest(method: request.method.rawValue, path: request.uri.string, headers: headers, body: body)
        return try await context.cancelOnDisconnect { try await entry.backend.send(upstream) }
    }

    func relay(_ reply: UpstreamResponse, from entry: CatalogueEntry, context: OmniContext, ignored: String?, failure: StreamFailure)
        -> Response
    {
        var headers = HTTPFields()
        for (name, value) in reply.headers where !Self.hopByHop.contains(name.lowercased()) {
            guard let name = HTTPField.Name(name) else { continue }
            headers.append(HTTPField(name: name, value: value))
        }
        if let ignored = entry.telling(ignored) {
            // The backend may name some too, mostly the same ones.
            headers[.xIgnoredParams] = IgnoredParams.joined(ignored, headers[.xIgnoredParams])
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
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "date", "server", "x-request-id", "vary",
    ]
}

extension CatalogueEntry {
    /// `x-ignored-params` with `model`, where the one that was asked for is one of OpenAI's and this one answers.
    func telling(_ ignored: String?) -> String? { standsInFor == nil ? ignored : IgnoredParams.joined(ignored, "model") }
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
