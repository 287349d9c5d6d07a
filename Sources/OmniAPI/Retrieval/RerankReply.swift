/// The reply of `POST /v1/rerank`, in vLLM's form, which Cohere's and Jina's clients read too.
public struct RerankReply: WireObject, Equatable {
    public var id = ""
    public var model = ""
    public var usage = RerankUsage()
    /// The most relevant first.
    public var results: [RerankResult] = []

    public init() {}

    public static var fields: [Field<RerankReply>] {
        [
            .sent("id", \.id, .string), .sent("model", \.model, .string), .sent("usage", \.usage, .object()),
            .sent("results", \.results, .list(of: .object()), "The most relevant first."),
        ]
    }
}

/// A document and how relevant it is.
public struct RerankResult: WireObject, Equatable {
    /// Its place in the request.
    public var index = 0
    public var document: RerankDocument?
    /// Comparable within one request; 0 to 1 from most rerankers, −1 to 1 (a cosine) from a model for embeddings.
    public var relevanceScore = 0.0

    public init() {}

    public static var fields: [Field<RerankResult>] {
        [
            .sent("index", \.index, .integer(), "The document's place in the request."), .optional("document", \.document, .object()),
            .sent(
                "relevance_score", \.relevanceScore, .number(),
                "Mostly 0 to 1 from a reranker; the cosine, -1 to 1, from a model for embeddings."),
        ]
    }
}

/// The text of a document.
public struct RerankDocument: WireObject, Equatable {
    public var text: String?

    public init() {}

    public init(_ text: String) { self.text = text }

    public static var fields: [Field<RerankDocument>] { [.always("text", \.text, .string)] }
}

/// Tokens that were read.
public struct RerankUsage: WireObject, Equatable {
    public var promptTokens = 0
    public var totalTokens = 0

    public init() {}

    public init(tokens: Int) { (promptTokens, totalTokens) = (tokens, tokens) }

    public static var fields: [Field<RerankUsage>] {
        [.sent("prompt_tokens", \.promptTokens, .integer()), .sent("total_tokens", \.totalTokens, .integer())]
    }
}
