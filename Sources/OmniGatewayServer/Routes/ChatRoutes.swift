import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests

/// `/v1/chat/completions` and its batches.
struct ChatRoutes: RouteGroup {
    let forwarder: Forwarder
    let decoder: ChatDecoder
    let spoken: SpokenChats

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/chat/completions", Self.chatDoc) { request, context in
            let body = try await context.collectJSON(request)
            if let spoken = try await spoken.answer(body, context) { return spoken }
            let entry = try chatEntry(body.json)
            try entry.checkModalities(body.json)
            // What a model that speaks itself makes of `audio` its worker says.
            let text = entry.speaks ? try SpeechStages(body.json).chat(body).without(ChatAudioOptions.members) : body
            let ignored: String?
            if entry.draws {
                ignored = try context.decodeImageChat(body.json).ignored
            } else {
                let (chat, unread) = try decoder.decode(text, context)
                ignored = unread
                if let keepAlive = chat.keepAlive { entry.backend.keep(keepAlive) }
            }
            return try await forwarder.forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
        }
        table.add(.post, "/v1/chat/completions/batch", Self.chatBatchDoc) { request, context in
            let body = try await context.collectJSON(request)
            let conversations = try ChatBatch(body.json)
            let entry = try chatEntry(body.json)
            try entry.checkModalities(body.json)
            for json in conversations.requests {
                if entry.draws {
                    _ = try context.decodeImageChat(json)
                } else {
                    _ = try decoder.decode(JSONBody(bytes: body.bytes, json: json), context)
                }
            }
            return try await forwarder.forward(request, body: body.bytes, to: entry, context: context)
        }
    }

    /// Who answers a chat: the named model; without a name the default image model when a picture is asked for, else the
    /// default text model, else any that can.
    private func chatEntry(_ json: JSONValue) throws -> CatalogueEntry {
        let wanted: [ModelCapability] = ImageChatRequest.asksForPicture(json) ? [.images, .chat] : [.chat, .images]
        return try forwarder.catalogue.entry(named: json["model"]?.stringValue, able: wanted, task: "chat")
    }
}

extension CatalogueEntry {
    /// Whether it answers chats with pictures.
    fileprivate var draws: Bool { capabilities?.drawsChats ?? false }

    /// Whether it speaks its answers by itself.
    var speaks: Bool { capabilities?.contains(.spokenChat) ?? false }

    /// Throws 400 where a chat asks a text model for anything but text. Sound is another model's, and the gateway's affair.
    fileprivate func checkModalities(_ json: JSONValue) throws {
        guard let capabilities, capabilities.contains(.chat) else { return }
        let known = speaks ? ["text", "audio"] : ["text"]
        guard let other = json["modalities"]?.arrayValue?.compactMap(\.stringValue).first(where: { !known.contains($0) }) else { return }
        throw APIError.invalid(
            "modalities",
            "Unsupported output modalities \(other.prefix(32)) for this model. Supported modalities: \(known.joined(separator: ", ")).")
    }
}

extension ChatRoutes {
    private static var chatDoc: RouteDoc {
        RouteDoc("An answer to a conversation, in text, speech or pictures.", .chat)
            .takes(
                .all([
                    .object(ChatCompletionRequest.self), .object(ImageChatParameters.self), .object(CodecParameters.self),
                    .inline { ChatAudioOptions.schema },
                ]),
                example: ["messages": [["role": "user", "content": "Say hi."]], "max_tokens": 16]
            )
            .answers(ChatCompletion.self)
            .streams(
                [.object(ChatCompletionChunk.self), .object(ErrorReply.self)], "With `stream`: a chunk for each piece, then `[DONE]`."
            )
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
    }

    private static var chatBatchDoc: RouteDoc {
        let conversations = Schema.inline {
            let messages: JSONValue = ["type": "array", "items": WireType<ChatMessage>.object().schema(), "minItems": 1]
            return [
                "type": "object", "required": ["messages"],
                "properties": [
                    "messages": ["type": "array", "items": messages, "minItems": 1, "maxItems": 256], "model": ["type": "string"],
                ],
                "description": "Every other field of /v1/chat/completions holds for all conversations.",
            ]
        }
        return RouteDoc("Answers to several conversations at once.", .chat)
            .takes(
                conversations,
                example: [
                    "messages": [[["role": "user", "content": "Say hi."]], [["role": "user", "content": "Say bye."]]], "max_tokens": 16,
                ]
            )
            .answers(ChatCompletion.self, "One choice for each conversation.")
            .fails(.reading + .serving)
    }
}
