/// `POST /v1/chat/completions` to a text model: OpenAI's fields and vLLM's additions.
public struct ChatCompletionRequest: FormedRequest {
    public var messages: [ChatMessage] = []
    public var model: String?
    public var sampling = SamplingParameters()
    public var n = 1
    public var maxTokens: Int?
    public var maxCompletionTokens: Int?
    public var stream = false
    public var streamOptions: StreamOptions?
    public var logprobs = false
    public var topLogprobs: Int?
    public var tools: [Tool]?
    public var toolChoice: ToolChoice?
    public var parallelToolCalls = true
    public var responseFormat: ResponseFormat?
    public var form = AnswerForm()
    public var prediction: PredictedOutput?
    public var chatTemplate: String?
    public var chatTemplateKwargs: JSONObject?
    public var addGenerationPrompt = true
    public var continueFinalMessage = false
    public var echo = false
    public var reasoningEffort: String?
    public var includeReasoning = true
    public var modalities: [String]?
    public var user: String?
    public var requestID: String?
    public var returnStageMetrics = false
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<ChatCompletionRequest>] {
        [
            .required("messages", \.messages, .list(of: .object(), count: 1 ... .max), "The conversation so far."),
            .optional("model", \.model, .string, "A served model's name; may be absent when one model is served."),
            .with(default: 1, "n", \.n, .integer(1...128), "Number of answers."),
            .optional("max_tokens", \.maxTokens, .integer(1 ... .max)),
            .optional("max_completion_tokens", \.maxCompletionTokens, .integer(1 ... .max), "Wins over max_tokens."),
            .with(default: false, "stream", \.stream, .bool),
            .optional("stream_options", \.streamOptions, .object()),
            .with(default: false, "logprobs", \.logprobs, .bool),
            .optional("top_logprobs", \.topLogprobs, .integer(0...20)),
            .optional("tools", \.tools, .tools),
            .optional("tool_choice", \.toolChoice, .toolChoice),
            .with(default: true, "parallel_tool_calls", \.parallelToolCalls, .bool),
            .optional(
                "prediction", \.prediction, .object(), "What much of the answer is expected to be: it comes sooner where that is right."),
            .optional("chat_template", \.chatTemplate, .string, "A Jinja template in place of the model's own."),
            .optional("chat_template_kwargs", \.chatTemplateKwargs, .openObject, "Arguments for the template, such as enable_thinking."),
            .with(
                default: true, "add_generation_prompt", \.addGenerationPrompt, .bool,
                "End the prompt with the head of an assistant's message."),
            .with(
                default: false, "continue_final_message", \.continueFinalMessage, .bool,
                "Go on with the last message; needs `add_generation_prompt: false`."),
            .with(
                default: false, "echo", \.echo, .bool, "Begin the answer with the text of the last message where both have the same role."),
            .optional("reasoning_effort", \.reasoningEffort, .string),
            .with(default: true, "include_reasoning", \.includeReasoning, .bool),
            .optional("modalities", \.modalities, .list(of: .string)),
            .optional("user", \.user, .string, "Not used."),
            .optional("request_id", \.requestID, .string(length: 1...128)),
            .with(
                default: false, "return_stage_metrics", \.returnStageMetrics, .bool,
                "Tell in `metrics` when the parts of the answer came, in seconds; of a stream in the last chunk of a choice."),
            .optional(
                "keep_alive", \.keepAlive, .keepAlive,
                "How long the model stays loaded after its last request: seconds, or 5m; -1 for ever."),
        ] + formFields(\.form) + samplingFields(\.sampling)
    }

    public func validate(at path: WirePath) throws {
        if (topLogprobs ?? 0) > 0, !logprobs { throw APIError.field(path.appending("top_logprobs"), "needs `logprobs: true`.") }
        if streamOptions != nil, !stream { throw APIError.field(path.appending("stream_options"), "needs `stream: true`.") }
        if let tools, Set(tools.map(\.function.name)).count < tools.count {
            throw APIError.field(path.appending("tools"), "has two functions of the same name.")
        }
        if let name = toolChoice?.names?.first(where: { name in !(tools ?? []).contains { $0.function.name == name } }) {
            throw APIError.field(path.appending("tool_choice"), "names the function `\(name)`, which is not among the tools.")
        }
        try form.validate(beside: responseFormat, at: path)
        if let constraint = form.format?.constraint, tools?.isEmpty == false, toolChoice != ToolChoice.none {
            throw APIError.field(path.appending(constraint.field), "leaves no room for `tools`: give one of both, or `tool_choice: none`.")
        }
        if toolChoice == .required, (tools ?? []).isEmpty { throw APIError.field(path.appending("tool_choice"), "needs `tools`.") }
        try validateContinuation(continueFinalMessage, addGenerationPrompt: addGenerationPrompt, at: path)
        try sampling.validate(tokenLimit: tokenLimit, at: path)
    }

    public var withoutEffect: [String] { streamOptions?.withoutEffect ?? [] }

    /// The most tokens to make; nil means as many as fit.
    public var tokenLimit: Int? { maxCompletionTokens ?? maxTokens }

    /// Whose words the answer is: the assistant's, or the last message's where no new one was begun.
    public var answerRole: ChatMessage.Role { addGenerationPrompt ? .assistant : messages.last?.role ?? .assistant }

    /// What the answer begins with before the model adds to it.
    public var echoedText: String {
        guard echo, let last = messages.last, last.role == answerRole else { return "" }
        return last.content?.text ?? ""
    }
}

/// A prompt ends with the head of a new message or goes on with the last one.
func validateContinuation(_ continueFinalMessage: Bool, addGenerationPrompt: Bool, at path: WirePath) throws {
    guard continueFinalMessage, addGenerationPrompt else { return }
    throw APIError.field(
        path.appending("continue_final_message"),
        "cannot be true together with `add_generation_prompt`, which is true unless it is given as false.")
}

/// What a stream carries besides the answer.
public struct StreamOptions: WireObject, Equatable {
    public var includeUsage = false
    public var continuousUsageStats = false

    public init() {}
    public init(includeUsage: Bool) { self.includeUsage = includeUsage }

    /// Every chunk has the counts so far.
    public var countsContinuously: Bool { includeUsage && continuousUsageStats }

    public static var fields: [Field<StreamOptions>] {
        [
            .with(default: false, "include_usage", \.includeUsage, .bool, "Send a last chunk with the token counts."),
            .with(
                default: false, "continuous_usage_stats", \.continuousUsageStats, .bool,
                "With `include_usage`: send the counts so far in every chunk."),
        ]
    }

    public var withoutEffect: [String] { continuousUsageStats && !includeUsage ? ["stream_options.continuous_usage_stats"] : [] }
}

extension WireType where Value == [Tool] {
    /// A fault in any tool is reported as `tools`, as clients expect.
    static var tools: WireType {
        let list = WireType<[Tool]>.list(of: .object(), count: 0...1024)
        return WireType(
            decode: { json, path in
                do { return try list.decode(json, path) } catch var error as APIError {
                    error.param = path.text
                    throw error
                }
            },
            encode: list.encode, schema: list.schema)
    }
}
