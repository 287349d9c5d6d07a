import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway

extension GatewayRoutes {
    func addChat(to table: inout RouteTable) {
        table.add(.post, "/v1/chat/completions", Self.chatDoc) { request, context in
            let body = try await context.collectJSON(request)
            if let spoken = try await spokenAnswer(body, context) { return spoken }
            let entry = try chatEntry(body.json)
            try entry.checkModalities(body.json)
            let ignored = try entry.kind == .image ? context.decodeImageChat(body.json).ignored : context.decodeChat(body).ignored
            return try await forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
        }
        table.add(.post, "/v1/chat/completions/batch", Self.chatBatchDoc) { request, context in
            let body = try await context.collectJSON(request)
            let conversations = try ChatBatch(body.json)
            let entry = try chatEntry(body.json)
            try entry.checkModalities(body.json)
            for json in conversations.requests {
                if entry.kind == .image { _ = try context.decodeImageChat(json) } else { _ = try context.decodeChat(JSONBody(bytes: body.bytes, json: json)) }
            }
            return try await forward(request, body: body.bytes, to: entry, context: context)
        }
    }
}

extension CatalogueEntry {
    /// Throws 400 where a chat asks a text model for anything but text. Sound is another model's, and the gateway's affair.
    fileprivate func checkModalities(_ json: JSONValue) throws {
        guard kind == .text, let other = json["modalities"]?.arrayValue?.compactMap(\.stringValue).first(where: { $0 != "text" }) else { return }
        throw APIError.invalid("modalities", "Unsupported output modalities \(other.prefix(32)) for this model. Supported modalities: text.")
    }
}

extension GatewayRoutes {
    private static var chatDoc: RouteDoc {
        RouteDoc("An answer to a conversation, in text, speech or pictures.", .chat)
            .takes(
                .all([.object(ChatCompletionRequest.self), .object(ImageChatParameters.self), .inline { SpokenChat.schema }]),
                example: ["messages": [["role": "user", "content": "Say hi."]], "max_tokens": 16])
            .answers(ChatCompletion.self)
            .streams([.object(ChatCompletionChunk.self), .object(ErrorReply.self)], "With `stream`: a chunk for each piece, then `[DONE]`.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }

    private static var chatBatchDoc: RouteDoc {
        let conversations = Schema.inline {
            let messages: JSONValue = ["type": "array", "items": WireType<ChatMessage>.object().schema(), "minItems": 1]
            return [
                "type": "object", "required": ["messages"],
                "properties": ["messages": ["type": "array", "items": messages, "minItems": 1, "maxItems": 256], "model": ["type": "string"]],
                "description": "Every other field of /v1/chat/completions holds for all conversations.",
            ]
        }
        return RouteDoc("Answers to several conversations at once.", .chat)
            .takes(conversations, example: ["messages": [[["role": "user", "content": "Say hi."]], [["role": "user", "content": "Say bye."]]], "max_tokens": 16])
            .answers(ChatCompletion.self, "One choice for each conversation.")
            .fails(.reading + .serving)
    }
}

extension OmniContext {
    /// A chat request. A template is a program, which can run for ever or exhaust the stack: a stranger's is not run.
    func decodeChat(_ body: JSONBody) throws -> (ChatCompletionRequest, ignored: String?) {
        let (chat, ignored) = try decode(ChatCompletionRequest.self, from: body)
        guard chat.chatTemplate == nil || limits.trustsChatTemplates else {
            throw APIError.invalid(
                "body.chat_template", "This server takes no chat templates from requests.",
                remedy: "--trust-request-chat-template allows them, where every client is trusted.")
        }
        return (chat, ignored)
    }
}

extension WorkerRoutes {
    func addChat(to table: inout RouteTable) {
        table.add(.post, "/v1/chat/completions", "An answer to a conversation.") { request, context in
            let body = try await context.collectJSON(request)
            if drawsChats { return try await drawChat(body.json, context) }
            let (chat, ignored) = try context.decode(ChatCompletionRequest.self, from: body)
            let model = try worker.require((any TextModel).self, task: "chat")
            let reply = ChatReply(id: chat.requestID ?? context.requestID, model: worker.servedName, request: chat)
            let isLong = body.isLong || chat.bringsMedia
            if chat.stream {
                return try await streamed(model, chat, reply, context: context, isLong: isLong, ignored: ignored)
            }
            let whole = try await context.cancelOnDisconnect(isLong: isLong) { try await Self.collect(model, chat, id: context.requestID) }
            return .json(reply.completion(whole), ignored: ignored)
        }
        table.add(.post, "/v1/chat/completions/batch", "Answers to several conversations at once.") { request, context in
            let body = try await context.collectJSON(request)
            let conversations = try ChatBatch(body.json).requests
            if drawsChats { return try await drawBatch(conversations, context) }
            let requests = try conversations.map { try ChatCompletionRequest(json: $0) }
            let model = try worker.require((any TextModel).self, task: "chat")
            let answers = try await context.cancelOnDisconnect(isLong: true) {
                try await withThrowingTaskGroup(of: (Int, ChatAnswer).self) { group in
                    for (place, chat) in requests.enumerated() {
                        group.addTask { (place, try await Self.collect(model, chat, id: "\(context.requestID)-\(place)")) }
                    }
                    return try await group.reduce(into: [Int: ChatAnswer]()) { $0[$1.0] = $1.1 }
                }
            }
            let reply = ChatReply(id: "batch-\(context.requestID)", model: worker.servedName, request: requests[0])
            return .json(reply.completion(ChatAnswer(joining: requests.indices.compactMap { answers[$0] })))
        }
    }

    private func streamed(
        _ model: any TextModel, _ chat: ChatCompletionRequest, _ reply: ChatReply, context: OmniContext, isLong: Bool, ignored: String?
    ) async throws -> Response {
        let scope = RequestScope(id: context.requestID)
        // Started before the status goes out, so that what is wrong with the request has its own status.
        let generation = try await context.cancelOnDisconnect(isLong: isLong) { try await model.chat(chat, scope: scope) }
        return context.eventStream(ignored: ignored) { sink in
            defer { scope.cancellation.cancel() }
            for choice in 0..<chat.n { try await sink.write(reply.opening(choice)) }
            for try await event in generation.events {
                if let chunk = reply.chunk(event) { try await sink.write(chunk) }
            }
            try Task.checkCancellation()
            try await sink.done()
        }
    }

    /// The whole answer.
    private static func collect(_ model: any TextModel, _ chat: ChatCompletionRequest, id: String) async throws -> ChatAnswer {
        let scope = RequestScope(id: id)
        defer { scope.cancellation.cancel() }
        var answer = ChatAnswer(to: chat)
        for try await event in try await model.chat(chat, scope: scope).events { answer.add(event) }
        try Task.checkCancellation()
        return answer
    }
}

extension ChatCompletionRequest {
    /// Pictures and sounds are fetched and decoded before the answer begins.
    fileprivate var bringsMedia: Bool {
        messages.contains { message in
            guard case .parts(let parts) = message.content else { return false }
            return parts.contains { if case .text = $0 { false } else { true } }
        }
    }
}

/// `/v1/chat/completions/batch`: `messages` is a list of conversations, every other field holds for all.
struct ChatBatch {
    /// One ordinary request per conversation.
    let requests: [JSONValue]

    init(_ json: JSONValue) throws {
        guard case .object(let object) = json else { throw APIError.field(.body, "must be an object.") }
        let path = WirePath.body.appending("messages")
        guard let conversations = object["messages"]?.arrayValue, !conversations.isEmpty, conversations.count <= 256 else {
            throw APIError.field(path, "must be a list of 1 to 256 conversations.")
        }
        requests = try conversations.enumerated().map { place, messages in
            guard case .array = messages else { throw APIError.field(path.appending(place), "must be a list of messages.") }
            var single = object
            single["messages"] = messages
            single["stream"] = nil
            single["stream_options"] = nil
            return .object(single)
        }
    }
}
