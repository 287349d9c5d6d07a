import HTTPTypes
import Hummingbird
import OmniAPI
import OmniAnswerSchema
import OmniGateway
import OmniHTTP

/// `/v1/messages` and `/v1/messages/count_tokens`: Anthropic's Messages API, answered by the chat models.
struct MessageRoutes: RouteGroup {
    let upstream: ChatUpstream

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/messages", Self.messageDoc) { request, context in
            let (message, ignored) = try context.decode(
                MessagesRequest.self, from: try await context.collectJSON(request), and: \.keywordsWithoutEffect)
            let entry = try upstream.entry(named: message.prompt.model, task: "messages")
            let reply = try await send(message.chat.json, to: "/v1/chat/completions", entry, context)
            if message.stream { return streamed(reply, from: entry, context, ignored: entry.telling(ignored)) }
            let whole = MessageReply(try ChatCompletion(json: try await upstream.json(reply)))
            return .json(whole.json, ignored: entry.telling(ignored))
        }
        table.add(.post, "/v1/messages/count_tokens", Self.countDoc) { request, context in
            let (count, ignored) = try context.decode(MessagesCountRequest.self, from: try await context.collectJSON(request))
            let entry = try upstream.entry(named: count.prompt.model, task: "messages")
            let reply = try await send(count.prompt.tokenization.json, to: "/tokenize", entry, context)
            var tokens = MessagesCountReply()
            tokens.inputTokens = try await upstream.json(reply)["count"]?.intValue ?? 0
            return .json(tokens.json, ignored: entry.telling(ignored))
        }
    }

    private func send(_ json: JSONValue, to path: String, _ entry: CatalogueEntry, _ context: OmniContext) async throws -> UpstreamResponse
    {
        do {
            return try await upstream.send(json, to: path, entry, context)
        } catch let error as APIError where error.tellsContextLength {
            // In the words and with the status by which clients of this API know it.
            throw APIError(.invalidRequest, "prompt is too long: \(error.message)", remedy: error.remedy, param: error.param)
        }
    }

    private func streamed(_ reply: UpstreamResponse, from entry: CatalogueEntry, _ context: OmniContext, ignored: String?) -> Response {
        context.eventStream(ignored: ignored) { sink in
            func write(_ events: [JSONValue]) async throws {
                for event in events { try await sink.event(event["type"]?.stringValue ?? "", event) }
            }
            do {
                var stream = MessageStream()
                try await upstream.read(reply, of: entry, context) { try await write(stream.push($0)) }
                try await write(stream.end())
            } catch let error as APIError {
                try await write([MessageErrorReply(error).json])
            }
        }
    }
}

extension MessagesPrompt {
    /// The same conversation for `/tokenize`.
    fileprivate var tokenization: TokenizeRequest {
        let chat = chat
        var request = TokenizeRequest()
        request.model = model
        request.messages = chat.messages
        request.tools = chat.tools
        request.toolChoice = chat.toolChoice
        request.chatTemplateKwargs = chat.chatTemplateKwargs
        (request.addGenerationPrompt, request.continueFinalMessage) = (chat.addGenerationPrompt, chat.continueFinalMessage)
        return request
    }
}

extension MessageRoutes {
    private static let messages: JSONValue = [["role": "user", "content": "Say hi."]]

    private static var messageDoc: RouteDoc {
        RouteDoc("An answer to a conversation, as Anthropic's Messages API has it.", .chat)
            .takes(MessagesRequest.self, example: ["messages": messages, "max_tokens": 16])
            .answers(MessageReply.self)
            .streams(
                [.object(MessageEvent.self)], "With `stream`: message_start, the blocks piece by piece, message_delta and message_stop."
            )
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }

    private static var countDoc: RouteDoc {
        RouteDoc("The length of a conversation in tokens.", .chat)
            .takes(MessagesCountRequest.self, example: ["messages": messages])
            .answers(MessagesCountReply.self).fails(.reading + .serving)
    }
}
