/// `POST /v1/rerank`, `/v2/rerank`, `/rerank`: documents in the order of their relevance to a query, as Cohere's, Jina's and vLLM's clients
/// ask for it.
public struct RerankRequest: TruncatingRequest {
    public var model: String?
    public var query = ""
    public var documents: [String] = []
    /// Most results; 0 for all.
    public var topN = 0
    /// Whether results repeat their documents' texts.
    public var returnsDocuments = true
    public var mostQueryTokens = 0
    public var mostDocumentTokens = 0
    /// Whether a score is what the model's activation makes of it, mostly 0 to 1. Nil is true.
    public var usesActivation: Bool?
    public var truncation = Truncation()
    public var user: String?

    public init() {}

    public static var fields: [Field<RerankRequest>] {
        [
            .optional("model", \.model, .string), .required("query", \.query, .string),
            .required("documents", \.documents, .documents, "Texts, or objects with a `text`."),
            .with(default: 0, "top_n", \.topN, .integer(0 ... .max), "Most results; 0 for all."),
            .with(default: true, "return_documents", \.returnsDocuments, .bool, "Repeat the documents' texts in the results."),
            .with(
                default: 0, "max_tokens_per_query", \.mostQueryTokens, .integer(0 ... .max),
                "Read this many tokens of the query; 0 for all."),
            .with(
                default: 0, "max_tokens_per_doc", \.mostDocumentTokens, .integer(0 ... .max),
                "Read this many tokens of each document; 0 for all."),
            .optional(
                "use_activation", \.usesActivation, .bool, "False gives the model's scores as they are, not brought to 0 … 1."),
            .optional("user", \.user, .string, "Not used."),
        ] + truncationFields
    }
}

extension WireType where Value == [String] {
    /// Most texts of one request.
    static var mostTexts: Int { 4096 }

    /// One text or a list of them; each may be an object with its `text`, as older clients of Cohere and Jina send it.
    static var documents: WireType {
        let plain = WireType<String>.string
        let one = WireType<String>(
            decode: { json, path in
                guard case .object(let object) = json else { return try plain.decode(json, path) }
                guard let text = object["text"] else {
                    throw APIError.field(path.appending("text"), "is required: only texts can be read.")
                }
                return try plain.decode(text, path.appending("text"))
            },
            encode: plain.encode,
            schema: {
                [
                    "oneOf": [
                        plain.schema(), ["type": "object", "properties": ["text": plain.schema()], "required": ["text"]],
                    ]
                ]
            })
        return .oneOrList(of: one, count: 1...mostTexts)
    }
}
