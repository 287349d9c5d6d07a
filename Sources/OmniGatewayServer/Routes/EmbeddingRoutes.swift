import OmniAPI
import OmniEngine
import OmniHTTP

/// `/v1/embeddings`.
struct EmbeddingRoutes: RouteGroup {
    let forwarder: Forwarder

    func add(to table: inout RouteTable) {
        let doc = RouteDoc("Vectors for texts.", .retrieval)
            .takes(EmbeddingRequest.self, example: ["input": ["a sentence"]])
            .answers(EmbeddingReply.self)
            .fails(.reading + .serving)
        forwarder.addRoute(
            to: &table, "/v1/embeddings", doc, task: "embeddings", able: [.embeddings], EmbeddingRequest.self, model: \.model)
    }
}
