import OmniAPI
import OmniHTTP

extension MessageReply {
    /// What a chat model answered, as a message.
    init(_ completion: ChatCompletion) {
        self.init()
        id = Self.newID()
        model = completion.model
        usage = MessageUsage(completion.usage ?? Usage())
        guard let choice = completion.choices.first else { return }
        let answer = choice.message
        if let thoughts = answer.reasoning ?? answer.reasoningContent, !thoughts.isEmpty { content.append(.thinking(thoughts)) }
        if let text = answer.content?.text, !text.isEmpty { content.append(.text(text)) }
        for call in answer.toolCalls ?? [] {
            content.append(.toolUse(id: call.id, name: call.function.name, input: Self.input(call.function.arguments)))
        }
        (stopReason, stopSequence) = Self.stop(choice.finishReason, choice.stopReason)
    }

    static func newID() -> String { RequestID.make("msg_", digits: 24) }

    /// The arguments of a call. What is no object, from a model that nothing held to its schema, is not lost.
    private static func input(_ arguments: String) -> JSONObject {
        (try? JSONValue.parse(arguments))?.objectValue ?? JSONObject([("arguments", .string(arguments))])
    }

    /// Why an answer ended, in the API's words.
    static func stop(_ finishReason: String?, _ stopReason: JSONValue?) -> (reason: String?, sequence: String?) {
        switch finishReason {
        case nil: (nil, nil)
        case "length": ("max_tokens", nil)
        case "tool_calls": ("tool_use", nil)
        case "content_filter": ("refusal", nil)
        default:
            if let sequence = stopReason?.stringValue { ("stop_sequence", sequence) } else { ("end_turn", nil) }
        }
    }
}
