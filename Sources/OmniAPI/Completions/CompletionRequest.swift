/// `POST /v1/completions`: text goes on from a prompt, no chat template.
public struct CompletionRequest: FormedRequest {
    public var prompts: [Prompt] = []
    public var model: String?
    public var sampling = SamplingParameters()
    public var n = 1
    public var maxTokens: Int? = 16
    public var stream = false
    public var streamOptions: StreamOptions?
    /// Number of likeliest tokens to report with each token.
    public var logprobs: Int?
    public var echo = false
    public var suffix: String?
    public var responseFormat: ResponseFormat?
    public var form = AnswerForm()
    public var user: String?
    public var requestID: String?
    public var keepAlive: KeepAlive?

    /// Text, or token ids as they are.
    public enum Prompt: Sendable, Equatable {
        case text(String)
        case tokens([Int])
    }

    public init() {}

    public static var fields: [Field<CompletionRequest>] {
        [
            .required("prompt", \.prompts, .prompts, "A text, a list of texts, a list of token ids, or a list of such lists."),
            .optional("model", \.model, .string),
            .with(default: 1, "n", \.n, .integer(1...128)),
            .with(
                default: 16, "max_tokens", \.maxTokens, WireType<Int>.integer(0 ... .max).orNull(),
                "0 only with `echo`: the prompt alone, with its logprobs."),
            .with(default: false, "stream", \.stream, .bool),
            .optional("stream_options", \.streamOptions, .object()),
            .optional("logprobs", \.logprobs, .integer(0...20)),
            .with(default: false, "echo", \.echo, .bool, "Put the prompt before the answer."),
            .optional("suffix", \.suffix, .string),
            .optional("user", \.user, .string, "Not used."),
            .optional("request_id", \.requestID, .string(length: 1...128)),
            .optional(
                "keep_alive", \.keepAlive, .keepAlive,
                "How long the model stays loaded after its last request: seconds, or 5m; -1 for ever."),
        ] + formFields(\.form) + samplingFields(\.sampling)
    }

    public var withoutEffect: [String] { streamOptions?.withoutEffect ?? [] }

    public func validate(at path: WirePath) throws {
        if streamOptions != nil, !stream { throw APIError.field(path.appending("stream_options"), "needs `stream: true`.") }
        if maxTokens == 0, !echo { throw APIError.field(path.appending("max_tokens"), "must be at least 1, not 0, unless `echo` is true.") }
        if suffix?.isEmpty == false {
            throw APIError.field(path.appending("suffix"), "is not supported: no served model fills in the middle.")
        }
        guard prompts.count * n <= Self.mostAnswers else {
            throw APIError.field(
                path.appending("n"), "times the number of prompts must be at most \(Self.mostAnswers), not \(prompts.count * n).")
        }
        try form.validate(beside: responseFormat, at: path)
        try sampling.validate(tokenLimit: maxTokens, at: path)
    }

    /// Most answers of one request: each takes a place as a request of its own would.
    public static let mostAnswers = 256
}

extension WireType where Value == [CompletionRequest.Prompt] {
    static var prompts: WireType { prompts(most: 256) }

    static func prompts(most: Int) -> WireType {
        let ids = WireType<[Int]>.list(of: .integer(0 ... .max), count: 1 ... .max)
        return WireType(
            decode: { json, path in
                func one(_ json: JSONValue, _ path: WirePath) throws -> CompletionRequest.Prompt {
                    switch json {
                    case .string(let text): return .text(text)
                    case .array: return .tokens(try ids.decode(json, path))
                    default: throw APIError.field(path, "must be text or a list of token ids, not \(json.typeName).")
                    }
                }
                guard case .array(let elements) = json else { return [try one(json, path)] }
                guard let first = elements.first else { throw APIError.field(path, "must not be an empty list.") }
                if first.intValue != nil { return [.tokens(try ids.decode(json, path))] }
                guard elements.count <= most else {
                    throw APIError.field(path, "has \(elements.count) prompts; at most \(most) are taken.")
                }
                return try elements.enumerated().map { try one($1, path.appending($0)) }
            },
            encode: { prompts in
                let list = prompts.map { prompt -> JSONValue in
                    switch prompt {
                    case .text(let text): .string(text)
                    case .tokens(let tokens): ids.encode(tokens)
                    }
                }
                return list.count == 1 ? list[0] : .array(list)
            },
            schema: {
                [
                    "oneOf": [
                        ["type": "string"], ["type": "array", "items": ["type": "string"]], ids.schema(),
                        ["type": "array", "items": ids.schema()],
                    ]
                ]
            })
    }
}
