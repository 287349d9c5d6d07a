import Hummingbird
import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniRequests
import OmniWorkerAPI

/// Generates videos for the gateway, which keeps the jobs. The answer is a line of JSON for each `VideoTaskEvent`; the gateway cancels by
/// closing the connection.
struct VideoTaskRoutes: RouteGroup {
    let worker: WorkerModel
    let semaphore: AsyncSemaphore
    let limits: ImageRequestLimits
    let muxing: MuxingOptions

    func add(to table: inout RouteTable) {
        table.add(.post, VideoTask.path, "Runs a video task of the gateway's.") { request, context in
            let order = try VideoTask(json: try await context.collectJSON(request).json)
            let model = try worker.model(as: (any VideoModel).self)
            let body = ResponseBody { writer in
                let sink = EventSink(writer)
                try await context.cancelOnDisconnect {
                    // One clip at a time: one that was cancelled a moment ago may still be on its way out.
                    let turn = try await semaphore.enter(limit: .max)
                    let (reports, out) = AsyncStream.makeStream(of: VideoTaskEvent.self)
                    let set = VideoTaskRunner(order: order, model: model, limits: limits, report: { out.yield($0) }) { [muxing] in
                        try MP4Writer(path: $0, plan: $1, quality: $2, mostBytes: $3, options: muxing)
                    }
                    async let work: Void = {
                        await set.video()
                        out.finish()
                    }()
                    do {
                        for await report in reports {
                            try await sink.write(ByteBuffer(bytes: report.json.jsonBytes + [UInt8(ascii: "\n")]))
                        }
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
