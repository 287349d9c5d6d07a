/// `POST /v1/responses`: OpenAI's Responses API, answered by the chat models.
public struct ResponsesRequest: WireObject {
    public var model: String?
    public var input: [ResponseItem] = []
    public var instructions: String?
    public var previousResponseID: String?
    public var store = true
    public var stream = false
    public var maxOutputTokens: Int?
    public var temperature: Double?
    public var topP: Double?
    public var topLogprobs: Int?
    public var tools: [ResponseTool] = []
    public var toolChoice = ToolChoice.auto
    public var parallelToolCalls = true
    public var text = ResponseText()
    public var reasoning: ResponseReasoning?
    public var include: [String] = []
    public var truncation = Truncation.disabled
    public var metadata: [String: String] = [:]
    public var background = false
    public var conversation: JSONValue?
    public var prompt: JSONValue?
    public var user: String?

    public enum Truncation: String, CaseIterable, Sendable { case auto, disabled }

    /// The one value of `include` that has something to add here.
    public static let logprobs = "message.output_text.logprobs"

    public init() {}

    public static var fields: [Field<ResponsesRequest>] {
        [
            .optional("model", \.model, .string, "A served model's name; may be absent when one model is served."),
            .required("input", \.input, .responseInput, "Text, or a list of items."),
            .optional("instructions", \.instructions, .string, "A system message before everything else."),
            .optional("previous_response_id", \.previousResponseID, .string, "A stored response whose conversation this goes on with."),
            .with(default: true, "store", \.store, .bool, "Keep the response for 30 days, for previous_response_id and GET."),
            .with(default: false, "stream", \.stream, .bool), .optional("max_output_tokens", \.maxOutputTokens, .integer(1 ... .max)),
            .optional("temperature", \.temperature, .number(0...2)), .optional("top_p", \.topP, .number(0...1, above: 0)),
            .optional("top_logprobs", \.topLogprobs, .integer(0...20)),
            .with(default: [], "tools", \.tools, .list(of: .object(), count: 0...1024)),
            .with(default: .auto, "tool_choice", \.toolChoice, .responseToolChoice),
            .with(default: true, "parallel_tool_calls", \.parallelToolCalls, .bool),
            .with(default: ResponseText(), "text", \.text, .object()), .optional("reasoning", \.reasoning, .object()),
            .with(default: [], "include", \.include, .list(of: .string), "`\(logprobs)` is the one that adds something."),
            .with(
                default: .disabled, "truncation", \.truncation, .choice, "`auto` is not used: a conversation that is too long is an error."),
            .with(default: [:], "metadata", \.metadata, .metadata, "Given back with the response."),
            .with(
                default: false, "background", \.background,
                .bool.checked { $0 ? "is not supported: the answer is computed while the request waits." : nil }),
            .optional(
                "conversation", \.conversation,
                .any.checked { _ in "is not supported: go on with `previous_response_id`, or send the conversation as `input`." }),
            .optional("prompt", \.prompt, .any.checked { _ in "is not supported: templates of prompts are not stored here." }),
            .optional("user", \.user, .string, aliases: ["safety_identifier"], "Not used."),
        ]
    }

    public func validate(at path: WirePath) throws { try checkTools(tools, toolChoice, at: path) }

    public var withoutEffect: [String] {
        var names = include.contains { $0 != Self.logprobs } ? ["include"] : []
        if truncation == .auto { names.append("truncation") }
        if text.verbosity != nil { names.append("text.verbosity") }
        if reasoning?.summary != nil { names.append("reasoning.summary") }
        if user != nil { names.append("user") }
        return names
    }
}

extension WireType where Value == [String: String] {
    /// At most 16 texts.
    static var metadata: WireType {
        dictionary(of: .string(length: 0...512)).checked {
            $0.count > 16 || $0.keys.contains { $0.count > 64 } ? "must have at most 16 members with names of at most 64 characters." : nil
        }
    }
}
