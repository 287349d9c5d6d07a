import OmniAPI

/// A model that turns text into vectors.
public protocol EmbeddingModel: ScoringModel {
    /// One vector of `[dimensions]` per input, and the number of tokens read. Throws ``APIError``: 400 for more dimensions than there are,
    /// 413 for a text that is too long, 503 when the queue is full.
    func embed(_ request: EmbeddingRequest, scope: RequestScope) async throws -> (vectors: [[Float]], tokens: Int)
}

/// A model that says how well pairs of texts fit.
public protocol ScoringModel: ServedModel {
    /// A score for each pair, higher where the texts fit better, and the number of tokens read. Throws as ``EmbeddingModel`` does.
    func score(_ pairs: TextPairs, scope: RequestScope) async throws -> (scores: [Float], tokens: Int)
}

/// A model that tells the classes of texts.
public protocol ClassificationModel: ServedModel {
    /// The names of the classes, in the order of the numbers.
    var labels: [String] { get }
    /// A number for each class, `[inputs][classes]`: probabilities, or logits where the request wants them; and the number of tokens read.
    /// Throws as ``EmbeddingModel`` does.
    func classify(_ request: ClassificationRequest, scope: RequestScope) async throws -> (rows: [[Float]], tokens: Int)
}

/// Pairs of texts that are to be scored.
public struct TextPairs: Sendable {
    /// One, or as many as there are second texts.
    public var first: [String]
    public var second: [String]
    /// Most tokens of a text that are read; 0 for all.
    public var mostFirstTokens = 0
    public var mostSecondTokens = 0
    public var usesActivation = true
    public var truncation: Truncation
    /// The request's fields, for errors: `body.query`, `body.documents`.
    public var fields: (first: String, second: String)

    public init(_ request: RerankRequest) {
        (first, second, truncation) = ([request.query], request.documents, request.truncation)
        (mostFirstTokens, mostSecondTokens) = (request.mostQueryTokens, request.mostDocumentTokens)
        usesActivation = request.usesActivation ?? true
        fields = ("body.query", "body.documents")
    }

    public init(_ request: ScoreRequest) {
        (first, second, truncation) = (request.first, request.second, request.truncation)
        usesActivation = request.usesActivation ?? true
        fields = ("body.text_1", "body.text_2")
    }

    /// Places of the texts of each pair.
    public var places: [(first: Int, second: Int)] { second.indices.map { (first.count == 1 ? 0 : $0, $0) } }
}
