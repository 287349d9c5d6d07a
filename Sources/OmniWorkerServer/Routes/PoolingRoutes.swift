import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP

/// `/pooling`.
struct PoolingRoutes: RouteGroup {
    let worker: WorkerModel

    func add(to table: inout RouteTable) {
        table.add(.post, "/pooling", "What a pooling model makes of texts.") { request, context in
            let body = try await context.collectJSON(request)
            let (asked, ignored) = try context.decode(PoolingRequest.self, from: body)
            let scope = RequestScope(id: context.requestID)
            let model = try worker.model()
            let (rows, tokens) = try await context.cancelOnDisconnect(isLong: body.isLong) {
                try await pooled(asked, of: model, scope: scope)
            }
            let data = rows.enumerated().map { index, row -> JSONValue in
                ["index": .int(index), "object": "pooling", "data": row.encoded(asked.encodingFormat)]
            }
            return .json(
                [
                    "id": .string("pool-\(context.requestID)"), "object": "list",
                    "created": .int(Int(Date().timeIntervalSince1970)), "model": .string(worker.servedName), "data": .array(data),
                    "usage": Usage(promptTokens: tokens).json,
                ], ignored: ignored)
        }
    }

    /// Vectors of a model for embeddings, classes of a classifier. 400 for the task that it does not have.
    private func pooled(_ asked: PoolingRequest, of model: any ServedModel, scope: RequestScope) async throws -> ([[Float]], Int) {
        if let model = model as? any EmbeddingModel, asked.task != .classify { return try await model.embed(asked.embedding, scope: scope) }
        if let model = model as? any ClassificationModel, asked.task != .embed {
            guard asked.dimensions == nil else {
                throw APIError.invalid("body.dimensions", "The model `\(worker.servedName)` gives classes, which cannot be cut short.")
            }
            return try await model.classify(asked.classification, scope: scope)
        }
        throw APIError.invalid(
            "body.task", "The model `\(worker.servedName)` does not have the task \(asked.task?.rawValue ?? "").",
            remedy: "Leave `task` out: the model then does what it can.")
    }
}

extension [Float] {
    /// As a reply has it: base64 is of little-endian 32-bit floats, as OpenAI's clients read it.
    func encoded(_ format: EmbeddingRequest.Format) -> JSONValue {
        switch format {
        case .float: .array(map { .number(Double($0)) })
        case .base64: .string(map(\.bitPattern.littleEndian).withUnsafeBytes { Data($0).base64EncodedString() })
        }
    }
}
