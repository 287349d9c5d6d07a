import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP

/// `/rerank` and `/score`, under all their names.
struct ScoringRoutes: RouteGroup {
    let worker: WorkerModel

    static let rerankPaths = ["/v1/rerank", "/v2/rerank", "/rerank"]
    static let scorePaths = ["/v1/score", "/score"]

    func add(to table: inout RouteTable) {
        for path in Self.rerankPaths {
            table.add(.post, path, "Documents by their relevance to a query.") { request, context in
                let body = try await context.collectJSON(request)
                let (rerank, ignored) = try context.decode(RerankRequest.self, from: body)
                let (scores, tokens) = try await score(TextPairs(rerank), isLong: body.isLong, context)
                var reply = RerankReply()
                (reply.id, reply.model, reply.usage) = ("rerank-\(context.requestID)", worker.servedName, RerankUsage(tokens: tokens))
                reply.results = Self.ranked(scores).prefix(rerank.topN > 0 ? rerank.topN : .max).map { place, score in
                    var result = RerankResult()
                    (result.index, result.relevanceScore) = (place, Double(score))
                    if rerank.returnsDocuments { result.document = RerankDocument(rerank.documents[place]) }
                    return result
                }
                return .json(reply.json, ignored: ignored)
            }
        }
        for path in Self.scorePaths {
            table.add(.post, path, "How well pairs of texts go together.") { request, context in
                let body = try await context.collectJSON(request)
                let (asked, ignored) = try context.decode(ScoreRequest.self, from: body)
                let (scores, tokens) = try await score(TextPairs(asked), isLong: body.isLong, context)
                var reply = ScoreReply()
                (reply.id, reply.created) = ("score-\(context.requestID)", Int(Date().timeIntervalSince1970))
                (reply.model, reply.usage) = (worker.servedName, Usage(promptTokens: tokens))
                reply.data = scores.enumerated().map { index, score in
                    var one = ScoreReply.Score()
                    (one.index, one.score) = (index, Double(score))
                    return one
                }
                return .json(reply.json, ignored: ignored)
            }
        }
    }

    private func score(_ pairs: TextPairs, isLong: Bool, _ context: OmniContext) async throws -> (scores: [Float], tokens: Int) {
        let model = try worker.model(as: (any ScoringModel).self)
        return try await context.cancelOnDisconnect(isLong: isLong) {
            try await model.score(pairs, scope: RequestScope(id: context.requestID))
        }
    }

    /// Best first; equal ones in the request's order.
    private static func ranked(_ scores: [Float]) -> [(place: Int, score: Float)] {
        scores.enumerated().map { (place: $0, score: $1) }.sorted { ($1.score, $0.place) < ($0.score, $1.place) }
    }
}
