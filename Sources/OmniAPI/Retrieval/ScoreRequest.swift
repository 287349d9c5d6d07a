/// `POST /score`: how well pairs of texts go together. One first text is compared with each of the second ones; else they are as many, and
/// compared one by one.
public struct ScoreRequest: TruncatingRequest {
    public var model: String?
    public var first: [String] = []
    public var second: [String] = []
    /// Whether a score is what the model's activation makes of it, mostly 0 to 1. Nil is true.
    public var usesActivation: Bool?
    public var truncation = Truncation()
    public var user: String?

    public init() {}

    public static var fields: [Field<ScoreRequest>] {
        [
            .optional("model", \.model, .string),
            .required("text_1", \.first, .documents, aliases: ["queries", "data_1"], "One text, or as many as there are second ones."),
            .required("text_2", \.second, .documents, aliases: ["documents", "items", "data_2"]),
            .optional(
                "use_activation", \.usesActivation, .bool, "False gives the model's scores as they are, not brought to 0 … 1."),
            .optional("user", \.user, .string, "Not used."),
        ] + truncationFields
    }

    public func validate(at path: WirePath) throws {
        guard first.count == 1 || first.count == second.count else {
            throw APIError.field(
                path.appending("text_1"),
                "must be one text, or as many as `text_2` (1:1, 1:N or N:N), not \(first.count) beside \(second.count).")
        }
    }
}

/// The reply of `POST /score`.
public struct ScoreReply: WireObject, Equatable {
    public var id: String?
    public var object = "list"
    public var created: Int?
    public var model = ""
    /// In the order of the pairs.
    public var data: [Score] = []
    public var usage: Usage?

    public init() {}

    public static var fields: [Field<ScoreReply>] {
        [
            .optional("id", \.id, .string), .sent("object", \.object, .string), .optional("created", \.created, .integer()),
            .sent("model", \.model, .string), .sent("data", \.data, .list(of: .object())), .always("usage", \.usage, .usage),
        ]
    }

    /// How well the texts of one pair go together.
    public struct Score: WireObject, Equatable {
        public var index = 0
        public var object = "score"
        public var score = 0.0

        public init() {}

        public static var schemaName: String { "PairScore" }
        public static var fields: [Field<Score>] {
            [.sent("index", \.index, .integer()), .sent("object", \.object, .string), .sent("score", \.score, .number())]
        }
    }
}
