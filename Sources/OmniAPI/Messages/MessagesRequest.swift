/// `POST /v1/messages`: Anthropic's Messages API.
///
/// `cache_control` has nothing to add here: beginnings of conversations are kept in the cache by themselves.
public struct MessagesRequest: PromptedByMessages {
    public var prompt = MessagesPrompt()
    public var maxTokens = 1
    public var temperature: Double?
    public var topP: Double?
    public var topK: Int?
    public var stopSequences: [String] = []
    public var stream = false
    public var metadata: JSONObject?
    public var serviceTier: String?

    public init() {}

    public static var fields: [Field<MessagesRequest>] {
        promptFields + [
            .required("max_tokens", \.maxTokens, .integer(1 ... .max), "The most tokens of the answer."),
            .optional("temperature", \.temperature, .number(0...1)), .optional("top_p", \.topP, .number(0...1, above: 0)),
            .optional("top_k", \.topK, .integer(0 ... .max)),
            .with(
                default: [], "stop_sequences", \.stopSequences, .list(of: .string(length: 1...1000), count: 0...32),
                "Texts that end the answer."),
            .with(default: false, "stream", \.stream, .bool),
            .optional("metadata", \.metadata, .openObject, "Not used."), .optional("service_tier", \.serviceTier, .string, "Not used."),
        ]
    }

    public func validate(at path: WirePath) throws { try prompt.validate(at: path) }

    public var withoutEffect: [String] {
        prompt.withoutEffect + [metadata == nil ? nil : "metadata", serviceTier == nil ? nil : "service_tier"].compactMap(\.self)
    }
}

/// `POST /v1/messages/count_tokens`.
public struct MessagesCountRequest: PromptedByMessages {
    public var prompt = MessagesPrompt()

    public init() {}
    public static var fields: [Field<MessagesCountRequest>] { promptFields }
    public func validate(at path: WirePath) throws { try prompt.validate(at: path) }
    public var withoutEffect: [String] { prompt.withoutEffect }
}

/// The reply of `POST /v1/messages/count_tokens`.
public struct MessagesCountReply: WireObject, Equatable {
    public var inputTokens = 0

    public init() {}
    public static var fields: [Field<MessagesCountReply>] { [.sent("input_tokens", \.inputTokens, .integer(0 ... .max))] }
}

/// What of a request becomes the prompt.
public struct MessagesPrompt: Sendable {
    public var model: String?
    public var messages: [MessageTurn] = []
    public var system: [MessageBlock]?
    public var tools: [MessageTool]?
    public var toolChoice: MessageToolChoice?
    public var thinking: MessageThinking?

    func validate(at path: WirePath) throws {
        let names = (tools ?? []).map(\.name)
        if Set(names).count < names.count { throw APIError.field(path.appending("tools"), "has two tools of the same name.") }
        if let name = toolChoice?.name, toolChoice?.type == .tool, !names.contains(name) {
            throw APIError.field(path.appending("tool_choice").appending("name"), "names the tool `\(name)`, which is not among the tools.")
        }
        if toolChoice?.type == .any, names.isEmpty { throw APIError.field(path.appending("tool_choice"), "of type any needs `tools`.") }
    }

    var withoutEffect: [String] { thinking?.budgetTokens == nil ? [] : ["thinking.budget_tokens"] }
}

/// Requests that carry a ``MessagesPrompt``.
protocol PromptedByMessages: WireObject {
    var prompt: MessagesPrompt { get set }
}

extension PromptedByMessages {
    static var promptFields: [Field<Self>] {
        [
            .optional("model", \.prompt.model, .string, "A served model's name; may be absent when one model is served."),
            .required("messages", \.prompt.messages, .list(of: .object(), count: 1...100_000), "The conversation so far."),
            .optional("system", \.prompt.system, .messageContent),
            .optional("tools", \.prompt.tools, .list(of: .object(), count: 0...1024)),
            .optional("tool_choice", \.prompt.toolChoice, .object()), .optional("thinking", \.prompt.thinking, .object()),
        ]
    }
}

/// What one side said.
public struct MessageTurn: WireObject, Equatable {
    public enum Role: String, CaseIterable, Sendable { case user, assistant }

    public var role = Role.user
    public var content: [MessageBlock] = []

    public init() {}

    public static var fields: [Field<MessageTurn>] {
        [.required("role", \.role, .choice), .required("content", \.content, .messageContent, "Text, or a list of blocks.")]
    }

    public func validate(at path: WirePath) throws {
        for (place, block) in content.enumerated() {
            switch (block, role) {
            case (.toolUse, .user), (.thinking, .user), (.redactedThinking, .user):
                throw APIError.field(path.appending("content").appending(place), "is the assistant's to say.")
            case (.toolResult, .assistant), (.image, .assistant):
                throw APIError.field(path.appending("content").appending(place), "is the user's to send.")
            default: break
            }
        }
    }
}
