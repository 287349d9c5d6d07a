/// `POST /v1/embeddings`.
public struct EmbeddingRequest: TruncatingRequest {
    public enum Format: String, CaseIterable, Sendable {
        case float, base64
    }

    public var input: [CompletionRequest.Prompt] = []
    public var model: String?
    public var encodingFormat = Format.float
    /// Keep this many leading components (Matryoshka models), normalised again.
    public var dimensions: Int?
    /// Whether the framing tokens of the model (`[CLS]`, `[SEP]`, `<s>`) go round each text. Token ids are taken as they are.
    public var addsSpecialTokens = true
    /// Whether vectors are brought to length 1. Nil is true.
    public var usesActivation: Bool?
    public var truncation = Truncation()
    public var user: String?
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<EmbeddingRequest>] {
        [
            .required("input", \.input, .prompts(most: 2048), "A text, a list of texts, a list of token ids, or a list of such lists."),
            .optional("model", \.model, .string),
            .with(default: .float, "encoding_format", \.encodingFormat, .choice),
            .optional("dimensions", \.dimensions, .integer(1...65536), "Keep this many leading components, brought to length 1 again."),
            .with(default: true, "add_special_tokens", \.addsSpecialTokens, .bool),
            .optional("use_activation", \.usesActivation, .bool, "False leaves the vectors' length as it is."),
            .optional("user", \.user, .string, "Not used."),
            .optional(
                "keep_alive", \.keepAlive, .keepAlive,
                "How long the model stays loaded after its last request: seconds, or 5m; -1 for ever."),
        ] + truncationFields
    }
}
