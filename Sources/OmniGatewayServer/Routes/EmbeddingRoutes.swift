import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/v1/embeddings`.
struct EmbeddingRoutes: RouteGroup {
    let forwarder: Forwarder

    func add(to table: inout RouteTable) {
        let doc = RouteDoc("Vectors for texts.", .retrieval)
            .takes(EmbeddingRequest.self, example: ["input": ["a sentence"]])
            .answers(EmbeddingReply.self)
            .fails(.reading + .serving)
        table.add(.post, "/v1/embeddings", doc) { request, context in
            let body = try await context.collectJSON(request)
            let (asked, ignored) = try context.decode(EmbeddingRequest.self, from: body)
            let entry = try forwarder.catalogue.entry(named: asked.model, able: [.embeddings], task: "embeddings")
            if let keepAlive = asked.keepAlive { entry.backend.keep(keepAlive) }
            if let name = entry.standsInFor { try Self.refuseTokens(asked, meantFor: name, entry) }
            return try await forwarder.forward(request, body: body.bytes, to: entry, context: context, ignored: ignored)
        }
    }

    /// Ids for a model of OpenAI's are of its tokenizer, and stand for other words in any other model's.
    private static func refuseTokens(_ asked: EmbeddingRequest, meantFor name: String, _ entry: CatalogueEntry) throws {
        let hasTokens = asked.input.contains { if case .tokens = $0 { true } else { false } }
        guard hasTokens else { return }
        throw APIError.invalid(
            "body.input", "Token ids for `\(name)` mean other words to `\(entry.id)`, which answers in its place.",
            remedy: "Send texts; in LangChain with OpenAIEmbeddings(check_embedding_ctx_length=False).")
    }
}
