import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP

/// `/v1/embeddings`.
struct EmbeddingRoutes: RouteGroup {
    let worker: WorkerModel

    func add(to table: inout RouteTable) {
        table.add(.post, "/v1/embeddings", "Vectors for texts.") { request, context in
            let body = try await context.collectJSON(request)
            let (embedding, ignored) = try context.decode(EmbeddingRequest.self, from: body)
            let model = try worker.model(as: (any EmbeddingModel).self)
            let (vectors, tokens) = try await context.cancelOnDisconnect(isLong: body.isLong) {
                try await model.embed(embedding, scope: RequestScope(id: context.requestID))
            }
            let data = vectors.enumerated().map { index, vector -> JSONValue in
                ["object": "embedding", "index": .int(index), "embedding": vector.encoded(embedding.encodingFormat)]
            }
            return .json(
                [
                    "id": .string("embd-\(context.requestID)"), "object": "list", "created": .int(Int(Date().timeIntervalSince1970)),
                    "model": .string(worker.servedName), "data": .array(data), "usage": Usage(promptTokens: tokens).json,
                ], ignored: ignored)
        }
    }
}
