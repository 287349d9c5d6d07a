import Foundation
import HTTPTypes
import Hummingbird
import OmniAPI
import OmniEngine
import OmniHTTP

/// `/classify`.
struct ClassificationRoutes: RouteGroup {
    let worker: WorkerModel

    func add(to table: inout RouteTable) {
        table.add(.post, "/classify", "The classes of texts.") { request, context in
            let body = try await context.collectJSON(request)
            let (asked, ignored) = try context.decode(ClassificationRequest.self, from: body)
            let model = try worker.model(as: (any ClassificationModel).self)
            let (rows, tokens) = try await context.cancelOnDisconnect(isLong: body.isLong) {
                try await model.classify(asked, scope: RequestScope(id: context.requestID))
            }
            var reply = ClassificationReply()
            (reply.id, reply.created) = ("classify-\(context.requestID)", Int(Date().timeIntervalSince1970))
            (reply.model, reply.usage) = (worker.servedName, Usage(promptTokens: tokens))
            reply.data = rows.enumerated().map { Self.classification($0, $1, model.labels) }
            return .json(reply.json, ignored: ignored)
        }
    }

    private static func classification(_ index: Int, _ row: [Float], _ labels: [String]) -> Classification {
        var one = Classification()
        (one.index, one.classes, one.probabilities) = (index, row.count, row.map { Double($0) })
        let likeliest = row.indices.max { (row[$0], $1) < (row[$1], $0) }
        one.label = likeliest.flatMap { labels.indices.contains($0) ? labels[$0] : nil }
        return one
    }
}
