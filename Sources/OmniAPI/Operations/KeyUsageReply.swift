/// The reply of `GET /v1/usage`: what API keys have used since the server started.
public struct KeyUsageReply: WireObject, Equatable {
    /// `list`.
    public var object = "list"
    /// The key that asked; each key for one of `--api-key`.
    public var data: [KeyUsageReport] = []

    public init() {}

    public static var fields: [Field<KeyUsageReply>] {
        [.sent("object", \.object, .string), .sent("data", \.data, .list(of: .object()))]
    }
}

/// What one key has used.
public struct KeyUsageReport: WireObject, Equatable {
    /// `key.usage`.
    public var object = "key.usage"
    /// The key's name.
    public var key = ""
    /// Requests and WebSockets that were let in; reading with GET counts for nothing.
    public var requests = 0
    /// Those of them that run.
    public var running = 0
    /// Requests answered with 429.
    public var refused = 0
    public var promptTokens = 0
    public var completionTokens = 0
    public var totalTokens = 0
    /// nil is no limit, here and below.
    public var requestsPerMinute: Int?
    public var tokensPerMinute: Int?
    public var concurrentRequests: Int?

    public init() {}

    public static var fields: [Field<KeyUsageReport>] {
        let count = WireType<Int>.integer(0 ... .max)
        return [
            .sent("object", \.object, .string), .sent("key", \.key, .string, "The key's name."),
            .sent("requests", \.requests, count, "Requests and WebSockets that were let in; reading with GET is not counted."),
            .sent("running", \.running, count, "Those of them that run."),
            .sent("refused", \.refused, count, "Requests answered with 429."),
            .sent("prompt_tokens", \.promptTokens, count), .sent("completion_tokens", \.completionTokens, count),
            .sent("total_tokens", \.totalTokens, count),
            .always("requests_per_minute", \.requestsPerMinute, count, "The limit; null is none."),
            .always("tokens_per_minute", \.tokensPerMinute, count, "The limit; null is none."),
            .always("concurrent_requests", \.concurrentRequests, count, "The limit; null is none."),
        ]
    }
}
