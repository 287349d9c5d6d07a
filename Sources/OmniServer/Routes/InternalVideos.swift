import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

extension WorkerRoutes {
    /// Films for the gateway, which keeps the jobs. The answer is a line of JSON for each ``FilmReport``; the gateway cancels by
    /// closing the connection.
    func addFilming(to table: inout RouteTable) {
        table.add(.post, FilmOrder.path, "Films an order of the gateway's.") { request, context in
            let order = try FilmOrder(json: try await context.collectJSON(request).json)
            let model = try worker.require((any VideoModel).self, task: "video generation")
            let body = ResponseBody { writer in
                let sink = EventSink(writer)
                try await context.cancelOnDisconnect {
                    // One clip at a time: one that was cancelled a moment ago may still be on its way out.
                    let turn = try await turnstile.enter(limit: .max)
                    let (reports, out) = AsyncStream.makeStream(of: FilmReport.self)
                    let set = FilmSet(order: order, model: model, limits: context.limits.images, report: { out.yield($0) }) { [muxing] in
                        try MP4Writer(path: $0, plan: $1, quality: $2, mostBytes: $3, options: muxing)
                    }
                    async let work: Void = {
                        await set.film()
                        out.finish()
                    }()
                    do {
                        for await report in reports { try await sink.write(ByteBuffer(bytes: report.json.jsonBytes + [UInt8(ascii: "\n")])) }
                    } catch {
                        context.requestLogger.debug("the gateway has gone", metadata: ["error": "\(error)"])
                    }
                    await work
                    withExtendedLifetime(turn) {}
                }
                try await writer.finish(nil)
            }
            return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
        }
    }
}
