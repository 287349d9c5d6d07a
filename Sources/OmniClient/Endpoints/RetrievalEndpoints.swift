import OmniAPI

extension OmniClient {
    /// `/v1/rerank`: documents in the order of their relevance to a query.
    public func rerank(_ request: RerankRequest, _ options: CallOptions = CallOptions()) async throws -> RerankReply {
        try await transport.json(.post("/v1/rerank", request, options))
    }

    /// `/score`: how well pairs of texts go together.
    public func score(_ request: ScoreRequest, _ options: CallOptions = CallOptions()) async throws -> ScoreReply {
        try await transport.json(.post("/score", request, options))
    }

    /// `/classify`: the classes of texts.
    public func classify(_ request: ClassificationRequest, _ options: CallOptions = CallOptions()) async throws -> ClassificationReply {
        try await transport.json(.post("/classify", request, options))
    }
}

extension RerankRequest {
    /// - Parameter topN: most results; 0 for all.
    public init(model: String? = nil, _ query: String, documents: [String], topN: Int = 0) {
        self.init()
        (self.model, self.query, self.documents, self.topN) = (model, query, documents, topN)
    }
}

extension ScoreRequest {
    /// One text compared with each of others.
    public init(model: String? = nil, _ text: String, with others: [String]) {
        self.init()
        (self.model, first, second) = (model, [text], others)
    }
}

extension ClassificationRequest {
    public init(model: String? = nil, _ texts: [String]) {
        self.init()
        self.model = model
        input = texts.map { .text($0) }
    }
}
