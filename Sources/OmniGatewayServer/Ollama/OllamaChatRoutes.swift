import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAnswerSchema
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/api/chat` and `/api/generate` of Ollama's API, answered by the chat models.
struct OllamaChatRoutes: RouteGroup {
    let upstream: ChatUpstream

    func add(to table: inout RouteTable) {
        table.add(.post, "/api/chat", Self.chatDoc) { request, context in
            let began = ContinuousClock.now
            let (asked, ignored) = try context.decode(
                OllamaChatRequest.self, from: try await context.collectJSON(request, ofAnyType: true))
            let entry = try upstream.catalogue.ollamaEntry(asked.model, able: [.chat], keepAlive: asked.keepAlive)
            guard !asked.messages.isEmpty else {
                var answer = try await entry.ollamaLoad(entry.ollamaName(asked.model), asked.keepAlive, context)
                answer.message = OllamaAnswerMessage()
                return .json(answer.json, ignored: ignored)
            }
            let reply = try await upstream.send(asked.chat(entry.id).json, to: "/v1/chat/completions", entry, context)
            let stream = OllamaStream(model: entry.ollamaName(asked.model), isChat: true, began: began, taken: .now)
            return try await answer(
                asked.stream, stream, context, ignored: ignored,
                chunks: upstream.chunks(reply, of: entry, context) { $0.push($1 as ChatCompletionChunk) })
        }
        table.add(.post, "/api/generate", Self.generateDoc) { request, context in
            let began = ContinuousClock.now
            let (asked, ignored) = try context.decode(
                OllamaGenerateRequest.self, from: try await context.collectJSON(request, ofAnyType: true))
            let entry = try upstream.catalogue.ollamaEntry(asked.model, able: [.chat], keepAlive: asked.keepAlive)
            guard !asked.prompt.isEmpty || asked.images?.isEmpty == false else {
                var answer = try await entry.ollamaLoad(entry.ollamaName(asked.model), asked.keepAlive, context)
                answer.response = ""
                return .json(answer.json, ignored: ignored)
            }
            let path = asked.raw ? "/v1/completions" : "/v1/chat/completions"
            let json = asked.raw ? asked.completion(entry.id).json : asked.chat(entry.id).json
            let reply = try await upstream.send(json, to: path, entry, context)
            let stream = OllamaStream(model: entry.ollamaName(asked.model), isChat: false, began: began, taken: .now)
            let chunks =
                asked.raw
                ? upstream.chunks(reply, of: entry, context) { $0.push($1 as TextCompletion) }
                : upstream.chunks(reply, of: entry, context) { $0.push($1 as ChatCompletionChunk) }
            return try await answer(asked.stream, stream, context, ignored: ignored, chunks: chunks)
        }
    }

    /// A reply of the model's server that is fed to a stream, which gives the lines.
    typealias Chunks = @Sendable (inout OllamaStream, (OllamaAnswer) async throws -> Void) async throws -> Void

    private func answer(
        _ streams: Bool, _ begun: OllamaStream, _ context: OmniContext, ignored: String?, chunks: @escaping Chunks
    ) async throws -> Response {
        guard streams else {
            let whole = try await context.cancelOnDisconnect {
                var stream = begun
                try await chunks(&stream) { _ in }
                return stream.whole()
            }
            return .json(whole.json, ignored: ignored)
        }
        return context.lineStream(as: .ollama, ignored: ignored) { sink in
            var stream = begun
            try await chunks(&stream) { try await sink.line($0.json) }
            for line in stream.end() { try await sink.line(line.json) }
        }
    }

    private static let ask: JSONValue = [["role": "user", "content": "Say hi."]]

    private static var chatDoc: RouteDoc {
        RouteDoc("An answer to a conversation, as Ollama's API has it; a line of JSON for each piece unless `stream` is false.", .chat)
            .takes(
                OllamaChatRequest.self,
                example: ["messages": ask, "stream": false, "options": ["num_predict": 16]]
            )
            .answers(OllamaAnswer.self).answers(.object(OllamaAnswer.self), as: "application/x-ndjson", "Lines.")
            .sends("x-ignored-params", "Fields of the request that had no effect.").fails(.reading + .serving)
    }

    private static var generateDoc: RouteDoc {
        RouteDoc("An answer to a prompt, as Ollama's API has it; a line of JSON for each piece unless `stream` is false.", .chat)
            .takes(
                OllamaGenerateRequest.self,
                example: ["prompt": "Say hi.", "stream": false, "options": ["num_predict": 16]]
            )
            .answers(OllamaAnswer.self).answers(.object(OllamaAnswer.self), as: "application/x-ndjson", "Lines.")
            .sends("x-ignored-params", "Fields of the request that had no effect.").fails(.reading + .serving)
    }
}

extension ChatUpstream {
    /// Reads a streamed reply chunk by chunk. Throws the backend's own error, or that it broke.
    fileprivate func chunks<Chunk: WireObject>(
        _ reply: UpstreamResponse, of entry: CatalogueEntry, _ context: OmniContext,
        _ push: @escaping @Sendable (inout OllamaStream, Chunk) -> OllamaAnswer?
    ) -> OllamaChatRoutes.Chunks {
        { stream, take in
            try await entry.reading(context.requestLogger) {
                for try await data in SSEData(reply.body) {
                    if let line = push(&stream, try Chunk(json: try JSONValue.event(data))) { try await take(line) }
                }
            }
        }
    }
}

extension Catalogue {
    /// The model of that name; as Ollama writes it, with the tag `latest` behind, too.
    func ollamaEntry(_ name: String, able wanted: [ModelCapability], keepAlive: KeepAlive?) throws -> CatalogueEntry {
        let isKnown = all.contains { $0.names.contains(name) }
        let plain = !isKnown && name.hasSuffix(":latest") ? String(name.dropLast(":latest".count)) : name
        let entry = try entry(named: plain, able: wanted, task: wanted == [.chat] ? "chat" : "embeddings")
        if let keepAlive { entry.backend.keep(keepAlive) }
        return entry
    }
}

extension CatalogueEntry {
    /// The name that the answer to a request has.
    func ollamaName(_ asked: String) -> String { asked.isEmpty ? id : asked }

    /// A request without a prompt loads the model, or unloads it where it is to be kept for no time.
    func ollamaLoad(_ name: String, _ keepAlive: KeepAlive?, _ context: OmniContext) async throws -> OllamaAnswer {
        let unloads = keepAlive == .seconds(0)
        if unloads { _ = await backend.sleep() } else { try await context.cancelOnDisconnect { try await load() } }
        var answer = OllamaAnswer(model: name)
        (answer.isDone, answer.doneReason) = (true, unloads ? "unload" : "load")
        return answer
    }
}
