/// `POST /tokenize`: of a prompt, or of a conversation under the model's chat template.
public struct TokenizeRequest: WireObject {
    public var model: String?
    public var prompt: String?
    public var messages: [ChatMessage]?
    public var addSpecialTokens = true
    public var addGenerationPrompt = true
    public var continueFinalMessage = false
    public var returnTokenTexts = false
    public var tools: [Tool]?
    public var toolChoice: ToolChoice?
    public var chatTemplateKwargs: JSONObject?

    public init() {}

    public static var fields: [Field<TokenizeRequest>] {
        [
            .optional("model", \.model, .string),
            .optional("prompt", \.prompt, .string),
            .optional("messages", \.messages, .list(of: .object(), count: 1 ... .max)),
            .with(default: true, "add_special_tokens", \.addSpecialTokens, .bool),
            .with(default: true, "add_generation_prompt", \.addGenerationPrompt, .bool),
            .with(default: false, "continue_final_message", \.continueFinalMessage, .bool),
            .with(default: false, "return_token_strs", \.returnTokenTexts, .bool),
            .optional("tools", \.tools, .tools, "The functions that a chat would name; with `messages`."),
            .optional("tool_choice", \.toolChoice, .toolChoice),
            .optional("chat_template_kwargs", \.chatTemplateKwargs, .openObject, "Arguments for the template, such as enable_thinking."),
        ]
    }

    public func validate(at path: WirePath) throws {
        guard (prompt == nil) != (messages == nil) else {
            throw APIError.field(path.appending("prompt"), "or `messages` is required, and not both.")
        }
        try validateContinuation(continueFinalMessage, addGenerationPrompt: addGenerationPrompt, at: path)
    }

    public var withoutEffect: [String] {
        guard messages == nil else { return [] }
        return ["tools": tools != nil, "tool_choice": toolChoice != nil, "chat_template_kwargs": chatTemplateKwargs != nil].filter(\.value)
            .keys.sorted()
    }
}

/// `POST /detokenize`.
public struct DetokenizeRequest: WireObject {
    public var model: String?
    public var tokens: [Int] = []

    public init() {}

    public static var fields: [Field<DetokenizeRequest>] {
        [.optional("model", \.model, .string), .required("tokens", \.tokens, .list(of: .integer(0 ... .max)))]
    }
}
