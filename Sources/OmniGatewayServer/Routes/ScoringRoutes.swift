import OmniAPI
import OmniEngine
import OmniHTTP

/// `/rerank` and `/score`, under all their names. A reranker goes before a model for embeddings, which compares by the cosine.
struct ScoringRoutes: RouteGroup {
    let forwarder: Forwarder

    static let paths = ["/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score"]

    func add(to table: inout RouteTable) {
        let rerank = RouteDoc("Documents by their relevance to a query, as Cohere's, Jina's and vLLM's clients ask for it.", .retrieval)
            .takes(
                RerankRequest.self,
                example: ["query": "Where do pandas live?", "documents": ["It rains today.", "The panda lives in China."], "top_n": 1]
            )
            .answers(RerankReply.self)
            .fails(.reading + .serving)
        let score = RouteDoc("How well pairs of texts go together: one with each of many, or many one by one.", .retrieval)
            .takes(ScoreRequest.self, example: ["text_1": "Where do pandas live?", "text_2": ["It rains today.", "In China."]])
            .answers(ScoreReply.self)
            .fails(.reading + .serving)
        for path in Self.paths {
            if path.hasSuffix("rerank") {
                forwarder.addRoute(
                    to: &table, path, rerank, task: "reranking", able: [.scoring, .embeddings], RerankRequest.self, model: \.model)
            } else {
                forwarder.addRoute(
                    to: &table, path, score, task: "scoring", able: [.scoring, .embeddings], ScoreRequest.self, model: \.model)
            }
        }
    }
}
