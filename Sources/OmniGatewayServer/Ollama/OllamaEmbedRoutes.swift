import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/api/embed` and `/api/embeddings` of Ollama's API.
struct OllamaEmbedRoutes: RouteGroup {
    let upstream: ChatUpstream

    func add(to table: inout RouteTable) {
        table.add(.post, "/api/embed", Self.embedDoc) { request, context in
            let began = ContinuousClock.now
            let (asked, ignored) = try context.decode(
                OllamaEmbedRequest.self, from: try await context.collectJSON(request, ofAnyType: true))
            let entry = try upstream.catalogue.ollamaEntry(asked.model, able: [.embeddings], keepAlive: asked.keepAlive)
            var answer = OllamaEmbedReply()
            answer.model = entry.ollamaName(asked.model)
            if asked.input.isEmpty {
                _ = try await entry.ollamaLoad(entry.ollamaName(asked.model), asked.keepAlive, context)
                answer.loadDuration = (ContinuousClock.now - began).nanoseconds
            } else {
                var embedding = EmbeddingRequest()
                (embedding.input, embedding.dimensions) = (asked.input.map { .text($0) }, asked.dimensions)
                if asked.truncate { embedding.truncation.limit = -1 }
                let reply = try await vectors(embedding, entry, context)
                answer.embeddings = reply.data.map(\.vector)
                answer.promptCount = reply.usage?.promptTokens ?? 0
            }
            answer.totalDuration = (ContinuousClock.now - began).nanoseconds
            return .json(answer.json, ignored: ignored)
        }
        table.add(.post, "/api/embeddings", Self.embeddingsDoc) { request, context in
            let (asked, ignored) = try context.decode(
                OllamaEmbeddingsRequest.self, from: try await context.collectJSON(request, ofAnyType: true))
            let entry = try upstream.catalogue.ollamaEntry(asked.model, able: [.embeddings], keepAlive: asked.keepAlive)
            var answer = OllamaEmbeddingsReply()
            if asked.prompt.isEmpty {
                _ = try await entry.ollamaLoad(entry.ollamaName(asked.model), asked.keepAlive, context)
            } else {
                var embedding = EmbeddingRequest()
                (embedding.input, embedding.truncation.limit) = ([.text(asked.prompt)], -1)
                answer.embedding = try await vectors(embedding, entry, context).data.first?.vector ?? []
            }
            return .json(answer.json, ignored: ignored)
        }
    }

    private func vectors(_ request: EmbeddingRequest, _ entry: CatalogueEntry, _ context: OmniContext) async throws -> EmbeddingReply {
        var request = request
        request.model = entry.id
        return try EmbeddingReply(json: try await upstream.json(upstream.send(request.json, to: "/v1/embeddings", entry, context)))
    }

    private static var embedDoc: RouteDoc {
        RouteDoc("Vectors for texts, as Ollama's API has it.", .retrieval)
            .takes(OllamaEmbedRequest.self, example: ["input": ["a sentence"]])
            .answers(OllamaEmbedReply.self).fails(.reading + .serving)
    }

    private static var embeddingsDoc: RouteDoc {
        RouteDoc("The vector of a text, as Ollama's API had it before.", .retrieval)
            .takes(OllamaEmbeddingsRequest.self, example: ["prompt": "a sentence"])
            .answers(OllamaEmbeddingsReply.self).fails(.reading + .serving)
    }
}
