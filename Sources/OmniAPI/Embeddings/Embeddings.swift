/// `POST /v1/embeddings`.
public struct EmbeddingRequest: WireObject {
    public enum Format: String, CaseIterable, Sendable {
        case float, base64
    }

    public var input: [CompletionRequest.Prompt] = []
    public var model: String?
    public var encodingFormat = Format.float
    /// Keep this many leading components (Matryoshka models), normalised again.
    public var dimensions: Int?
    public var user: String?

    public init() {}

    public static var fields: [Field<EmbeddingRequest>] {
        [
            .required("input", \.input, .prompts),
            .optional("model", \.model, .string),
            .with(default: .float, "encoding_format", \.encodingFormat, .choice),
            .optional("dimensions", \.dimensions, .integer(1...65536)),
            .optional("user", \.user, .string, "Not used."),
        ]
    }
}
