import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniGateway
import OmniHTTP
import OmniStore
import OmniWorkerAPI

/// `/v1/videos/sync`: a clip in one request, by a job that nobody else sees, gone with its answer. A client that goes cancels it.
struct SyncVideoRoutes: RouteGroup {
    let orders: VideoRoutes

    func add(to table: inout RouteTable) {
        let videos = orders.videos
        table.add(.post, "/v1/videos/sync", VideoDocs.sync) { request, context in
            let (asked, files, entry, ignored) = try await orders.order(request, context)
            let job = try await videos.submit(asked, files: files, to: entry, key: nil, isSync: true)
            let owner = PassingJob(id: job.id, runner: videos.runner)
            let done = try await context.cancelOnDisconnect { try await videos.wait(for: job.id) }
            guard let result = done.result else { throw APIError(done.error ?? VideoJobError()) }
            let clip = try await FileIO().loadFile(path: videos.runner.files.path(result.clip, of: job.id), context: context)
            let body = ResponseBody(contentLength: clip.contentLength) { writer in
                try await clip.write(writer)
                withExtendedLifetime(owner) {}
            }
            return Response(status: .ok, headers: Self.headers(done, result, ignored), body: body)
        }
    }

    private static func headers(_ job: StoredJob, _ result: VideoTaskResult, _ ignored: String?) -> HTTPFields {
        var headers: HTTPFields = [.contentType: "video/mp4"]
        headers[.init("X-Model")!] = job.modelName.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) } ? job.modelName : "?"
        headers[.init("X-Inference-Time-S")!] = String(format: "%.3f", result.inferenceSeconds)
        headers[.init("X-Stage-Durations")!] = JSONValue.object(result.stageDurations).jsonText
        headers[.init("X-Peak-Memory-MB")!] = String(format: "%.3f", result.peakMemory)
        if let ignored { headers[.xIgnoredParams] = ignored }
        return headers
    }
}

/// A job that lasts as long as the request for it: deleted when it is let go, also where the client went before its answer began and
/// nobody ever asked for the body.
private final class PassingJob: Sendable {
    private let id: String
    private let runner: JobRunner

    init(id: String, runner: JobRunner) { (self.id, self.runner) = (id, runner) }

    deinit {
        let (id, runner) = (id, runner)
        Task { _ = try? await runner.delete(id) }
    }
}

extension VideoJobService {
    /// The job once it is over. Throws 504 when that takes longer than a blocking request may.
    func wait(for id: String) async throws -> StoredJob {
        try await withThrowingTaskGroup(of: StoredJob.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for await _ in runner.board.changes(of: id) {
                    guard let job = try await runner.store.job(id) else { break }
                    if job.status.isOver { return job }
                }
                try Task.checkCancellation()
                throw APIError(.unavailable, "The server is about to end.", remedy: "Try again in a moment.", retryAfter: 5)
            }
            group.addTask {
                try await Task.sleep(for: syncLimit)
                throw APIError(
                    .timeout, "The clip was not done within \(Int(syncLimit / .seconds(1))) s.",
                    remedy: "POST /v1/videos makes a job of it, which takes as long as it takes.")
            }
            guard let job = try await group.next() else { throw CancellationError() }
            return job
        }
    }
}

extension APIError {
    /// What a job's failure is as the answer to a blocking request.
    init(_ error: VideoJobError) {
        let codes: [Int: Code] = [
            400: .badRequest, 404: .notFound, 413: .tooLarge, 501: .notImplemented, 503: .unavailable, 507: .insufficientStorage,
        ]
        self.init(codes[error.code] ?? .internalError, "Video generation failed: \(error.message)", retryAfter: error.code == 503 ? 5 : nil)
    }
}
