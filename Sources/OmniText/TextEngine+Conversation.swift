import OmniAPI
import OmniEngine
import OmniLlama

extension TextEngine {
    /// Messages as the template's shim takes them, and the media they hold, in order.
    struct Conversation: Sendable {
        var messages: [JSONValue] = []
        var media: [MediaInput] = []

        /// Puts a system's message before all others, unless it is there.
        mutating func begin(with system: String) {
            let first = messages.first
            guard first?["role"] != "system" || first?["content"]?.plainText != system else { return }
            messages.insert(["role": "system", "content": .string(system)], at: 0)
        }
    }

    /// Fetches and decodes every medium. Throws 400 naming the part for a model that cannot take it.
    func conversation(_ messages: [ChatMessage], scope: RequestScope) async throws -> Conversation {
        var conversation = Conversation()
        for (place, message) in messages.enumerated() {
            var json = JSONObject([("role", .string(message.role == .function ? "tool" : message.role.rawValue))])
            switch message.words {
            case .text(let text): json.append("content", .string(text))
            case .parts(let parts):
                json.append("content", .array(try await self.parts(parts, of: place, into: &conversation.media, scope: scope)))
            case nil: json.append("content", .string(message.refusal))
            }
            if let name = message.name { json.append("name", .string(name)) }
            if let calls = message.toolCalls, !calls.isEmpty { json.append("tool_calls", .array(calls.map(Self.json))) }
            if let id = message.toolCallID { json.append("tool_call_id", .string(id)) }
            if let reasoning = message.reasoningContent { json.append("reasoning_content", .string(reasoning)) }
            conversation.messages.append(.object(json))
        }
        return conversation
    }

    private func parts(_ parts: [ChatPart], of message: Int, into media: inout [MediaInput], scope: RequestScope) async throws
        -> [JSONValue]
    {
        var result: [JSONValue] = []
        for (place, part) in parts.enumerated() {
            if case .text(let text) = part {
                result.append(["type": "text", "text": .string(text)])
                continue
            }
            let param = "body.messages.\(message).content.\(place)"
            guard let mediaReader, mediaReader.takes(part) else {
                throw APIError.invalid(
                    param, "This model does not take `\(part.wireName)` parts.",
                    remedy: "Its parts are: \((["text"] + card.inputParts).joined(separator: ", ")).")
            }
            try scope.cancellation.check()
            media.append(try await mediaReader.read(part, param: param, place: media.count))
            result.append(["type": "media_marker", "text": .string(mediaReader.marker)])
        }
        return result
    }

    private static func json(_ call: ToolCall) -> JSONValue {
        var json = JSONObject([("type", "function")])
        if !call.id.isEmpty { json.append("id", .string(call.id)) }
        json.append("function", ["name": .string(call.function.name), "arguments": .string(call.function.arguments)])
        return .object(json)
    }

    /// Tokens of a rendered conversation, its media in their places.
    func prompt(_ text: String, media: [MediaInput]) async throws -> Prompt {
        guard !media.isEmpty, let mediaReader else { return Prompt(vocabulary.tokenize(text, addSpecial: true, special: true)) }
        return try await mediaReader.tokenize(text, media: media)
    }
}

extension JSONValue {
    /// The text of a message's content, a string or parts of it.
    fileprivate var plainText: String? { stringValue ?? arrayValue?.compactMap { $0["text"]?.stringValue }.joined() }
}
