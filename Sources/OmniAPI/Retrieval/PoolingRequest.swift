/// `POST /pooling`: what a pooling model makes of texts, whatever that is: vectors, or the probabilities of classes.
public struct PoolingRequest: TruncatingRequest {
    /// The tasks that models here have; the model's own when absent.
    public enum Task: String, CaseIterable, Sendable {
        case embed, classify
    }

    public var model: String?
    public var input: [CompletionRequest.Prompt] = []
    public var task: Task?
    public var encodingFormat = EmbeddingRequest.Format.float
    /// Keep this many leading components of vectors, normalised again.
    public var dimensions: Int?
    public var addsSpecialTokens = true
    /// Whether vectors have length 1, and classes probabilities. Nil is true.
    public var usesActivation: Bool?
    public var truncation = Truncation()
    public var user: String?

    public init() {}

    public static var fields: [Field<PoolingRequest>] {
        [
            .optional("model", \.model, .string),
            .required("input", \.input, .prompts(most: 2048), "A text, a list of texts, a list of token ids, or a list of such lists."),
            .optional("task", \.task, .choice, "What the model does by itself when absent."),
            .with(default: .float, "encoding_format", \.encodingFormat, .choice),
            .optional("dimensions", \.dimensions, .integer(1...65536), "Keep this many leading components of vectors."),
            .with(default: true, "add_special_tokens", \.addsSpecialTokens, .bool),
            .optional("use_activation", \.usesActivation, .bool, "False gives vectors of any length, and logits of classes."),
            .optional("user", \.user, .string, "Not used."),
        ] + truncationFields
    }

    /// The same, as a request for vectors.
    package var embedding: EmbeddingRequest {
        var request = EmbeddingRequest()
        (request.input, request.dimensions, request.addsSpecialTokens) = (input, dimensions, addsSpecialTokens)
        (request.usesActivation, request.truncation) = (usesActivation, truncation)
        return request
    }

    /// The same, as a request for classes.
    package var classification: ClassificationRequest {
        var request = ClassificationRequest()
        (request.input, request.addsSpecialTokens, request.usesActivation, request.truncation) = (
            input, addsSpecialTokens, usesActivation, truncation
        )
        return request
    }
}

/// The reply of `POST /pooling`.
public struct PoolingReply: WireObject, Equatable {
    public var id: String?
    public var object = "list"
    public var created: Int?
    public var model = ""
    /// In the order of the inputs.
    public var data: [Pooled] = []
    public var usage: Usage?

    public init() {}

    public static var fields: [Field<PoolingReply>] {
        [
            .optional("id", \.id, .string), .sent("object", \.object, .string), .optional("created", \.created, .integer()),
            .sent("model", \.model, .string), .sent("data", \.data, .list(of: .object())), .always("usage", \.usage, .usage),
        ]
    }

    /// What became of one text.
    public struct Pooled: WireObject, Equatable {
        public var index = 0
        public var object = "pooling"
        public var data: [Float] = []

        public init() {}

        public static var fields: [Field<Pooled>] {
            [
                .sent("index", \.index, .integer()), .sent("object", \.object, .string),
                .sent("data", \.data, .embeddingVector, "Numbers, or base64 of little-endian 32-bit floats."),
            ]
        }
    }
}
