/// The reply of `POST /v1/completions`; streamed, each event has the same shape with the text that it adds.
public struct TextCompletion: WireObject, Equatable {
    public var id = ""
    public var object = "text_completion"
    /// Seconds since 1970.
    public var created = 0
    public var model = ""
    public var choices: [TextChoice] = []
    public var usage: Usage?
    /// Stands for what has a say in the last bits of the model's numbers.
    public var systemFingerprint: String?

    public init() {}

    public static var fields: [Field<TextCompletion>] {
        [
            .sent("id", \.id, .string), .sent("object", \.object, .string), .sent("created", \.created, .integer()),
            .sent("model", \.model, .string),
            .sent("choices", \.choices, .list(of: .object())), .always("usage", \.usage, .usage),
            .optional(
                "system_fingerprint", \.systemFingerprint, .string, "Stands for what has a say in the last bits of the model's numbers."),
        ]
    }

    /// The text of the first choice.
    public var text: String { choices.first?.text ?? "" }
}

/// One text of a ``TextCompletion``.
public struct TextChoice: WireObject, Equatable {
    public var index = 0
    public var text = ""
    /// The older form: parallel lists of tokens, their logprobs and offsets.
    public var logprobs: JSONValue?
    public var finishReason: String?
    public var stopReason: JSONValue?

    public init() {}

    public static var fields: [Field<TextChoice>] {
        [
            .sent("index", \.index, .integer()), .sent("text", \.text, .string), .always("logprobs", \.logprobs, .any),
            .always("finish_reason", \.finishReason, .string), .always("stop_reason", \.stopReason, .any),
        ]
    }
}
