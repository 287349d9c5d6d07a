/// `POST /classify`: the classes of texts.
public struct ClassificationRequest: TruncatingRequest {
    public var model: String?
    public var input: [CompletionRequest.Prompt] = []
    /// Whether the framing tokens of the model (`[CLS]`, `[SEP]`, `<s>`) go round each text. Token ids are taken as they are.
    public var addsSpecialTokens = true
    /// Whether probabilities are given, and not the network's logits. Nil is true.
    public var usesActivation: Bool?
    public var truncation = Truncation()
    public var user: String?

    public init() {}

    public static var fields: [Field<ClassificationRequest>] {
        [
            .optional("model", \.model, .string),
            .required("input", \.input, .prompts(most: 2048), "A text, a list of texts, a list of token ids, or a list of such lists."),
            .with(default: true, "add_special_tokens", \.addsSpecialTokens, .bool),
            .optional("use_activation", \.usesActivation, .bool, "False gives the network's logits in place of probabilities."),
            .optional("user", \.user, .string, "Not used."),
        ] + truncationFields
    }
}

/// The reply of `POST /classify`.
public struct ClassificationReply: WireObject, Equatable {
    public var id: String?
    public var object = "list"
    public var created: Int?
    public var model = ""
    /// In the order of the inputs.
    public var data: [Classification] = []
    public var usage: Usage?

    public init() {}

    public static var fields: [Field<ClassificationReply>] {
        [
            .optional("id", \.id, .string), .sent("object", \.object, .string), .optional("created", \.created, .integer()),
            .sent("model", \.model, .string), .sent("data", \.data, .list(of: .object())), .always("usage", \.usage, .usage),
        ]
    }
}

/// The class of one text.
public struct Classification: WireObject, Equatable {
    public var index = 0
    /// The likeliest class, as the model's file calls it.
    public var label: String?
    /// Of each class, in the order of the model's file.
    public var probabilities: [Double] = []
    public var classes = 0

    public init() {}

    public static var fields: [Field<Classification>] {
        [
            .sent("index", \.index, .integer()), .always("label", \.label, .string, "The likeliest class, as the model's file calls it."),
            .sent("probs", \.probabilities, .list(of: .number()), "Of each class, in the order of the model's file."),
            .sent("num_classes", \.classes, .integer()),
        ]
    }
}
