/// The reply to `POST /v1/messages` that is not streamed.
public struct MessageReply: WireObject, Equatable {
    public var id = ""
    public var type = "message"
    public var role = "assistant"
    /// The model that answered.
    public var model = ""
    public var content: [MessageBlock] = []
    /// `end_turn`, `max_tokens`, `stop_sequence`, `tool_use` or `refusal`.
    public var stopReason: String?
    /// The stop sequence that ended the answer.
    public var stopSequence: String?
    public var usage = MessageUsage()

    public init() {}

    public static var fields: [Field<MessageReply>] {
        [
            .sent("id", \.id, .string), .sent("type", \.type, .string), .sent("role", \.role, .string), .sent("model", \.model, .string),
            .sent("content", \.content, .messageContent),
            .always("stop_reason", \.stopReason, .string, "end_turn, max_tokens, stop_sequence, tool_use or refusal."),
            .always("stop_sequence", \.stopSequence, .string, "The stop sequence that ended the answer."),
            .sent("usage", \.usage, .object()),
        ]
    }
}

/// Token counts of a message.
public struct MessageUsage: WireObject, Equatable {
    /// Prompt tokens that were computed.
    public var inputTokens = 0
    public var outputTokens = 0
    public var cacheCreationInputTokens = 0
    /// Prompt tokens whose keys and values were reused from an earlier request.
    public var cacheReadInputTokens = 0

    public init() {}

    public init(_ usage: Usage) {
        inputTokens = usage.promptTokens - usage.cachedTokens
        outputTokens = usage.completionTokens
        cacheReadInputTokens = usage.cachedTokens
    }

    public static var fields: [Field<MessageUsage>] {
        let count = WireType<Int>.integer(0 ... .max)
        return [
            .sent("input_tokens", \.inputTokens, count, "Prompt tokens that were computed."), .sent("output_tokens", \.outputTokens, count),
            .sent("cache_creation_input_tokens", \.cacheCreationInputTokens, count),
            .sent("cache_read_input_tokens", \.cacheReadInputTokens, count, "Prompt tokens that were reused from an earlier request."),
        ]
    }
}

/// One event of a streamed message; the name of the event is its `type`.
public struct MessageEvent: WireObject, Equatable {
    public var type = ""

    public init() {}
    public static var fields: [Field<MessageEvent>] {
        [
            .sent(
                "type", \.type,
                .string,
                "message_start, content_block_start, content_block_delta, content_block_stop, message_delta, message_stop, ping or error.")
        ]
    }
}

/// The body of an error reply of the Messages API.
public struct MessageErrorReply: WireObject, Equatable {
    public struct Detail: WireObject, Equatable {
        public var type = ""
        public var message = ""

        public static var schemaName: String { "MessageErrorDetail" }
        public init() {}
        public static var fields: [Field<Detail>] { [.sent("type", \.type, .string), .sent("message", \.message, .string)] }
    }

    public var type = "error"
    public var error = Detail()

    public init() {}

    public init(_ error: APIError) {
        self.error.type = Self.type(ofStatus: error.status)
        self.error.message = error.fullMessage
    }

    public static var fields: [Field<MessageErrorReply>] { [.sent("type", \.type, .string), .sent("error", \.error, .object())] }

    /// Anthropic's status for one of ours: a server that is busy has a number of its own.
    public static func status(_ status: Int) -> Int { status == 503 ? 529 : status }

    /// The `type` of an error whose status is one of ours.
    public static func type(ofStatus status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503: "overloaded_error"
        case 504: "timeout_error"
        case ..<500: "invalid_request_error"
        default: "api_error"
        }
    }
}
