import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniGateway
import OmniStore

extension GatewayRoutes {
    /// A clip in one request: a job that nobody else sees, gone with its answer. A client that goes cancels it.
    func addSyncVideos(to table: inout RouteTable) {
        table.add(.post, "/v1/videos/sync", Self.filmNowDoc) { request, context in
            let (asked, files, entry, ignored) = try await order(request, context)
            let job = try await films.submit(asked, files: files, to: entry, key: nil, isSync: true)
            do {
                let done = try await context.cancelOnDisconnect { try await films.wait(for: job.id) }
                guard let result = done.result else { throw APIError(done.error ?? VideoJobError()) }
                let clip = try await FileIO().loadFile(path: films.runner.files.path(result.clip, of: job.id), context: context)
                let body = ResponseBody(contentLength: clip.contentLength) { writer in
                    do { try await clip.write(writer) } catch {
                        _ = try? await films.runner.delete(job.id)
                        throw error
                    }
                    _ = try? await films.runner.delete(job.id)
                }
                return Response(status: .ok, headers: Self.headers(done, result, ignored), body: body)
            } catch {
                // Not in the cancelled task.
                await Task { _ = try? await films.runner.delete(job.id) }.value
                throw error
            }
        }
    }

    private static func headers(_ job: StoredJob, _ result: JobResult, _ ignored: String?) -> HTTPFields {
        var headers: HTTPFields = [.contentType: "video/mp4"]
        headers[.init("X-Model")!] = job.modelName.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) } ? job.modelName : "?"
        headers[.init("X-Inference-Time-S")!] = String(format: "%.3f", result.inferenceSeconds)
        headers[.init("X-Stage-Durations")!] = JSONValue.object(result.stageDurations).jsonText
        headers[.init("X-Peak-Memory-MB")!] = String(format: "%.3f", result.peakMemory)
        if let ignored { headers[.xIgnoredParams] = ignored }
        return headers
    }
}

extension VideoDesk {
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
                throw APIError(.timeout, "The clip was not done within \(Int(syncLimit / .seconds(1))) s.", remedy: "POST /v1/videos makes a job of it, which takes as long as it takes.")
            }
            guard let job = try await group.next() else { throw CancellationError() }
            return job
        }
    }
}

extension APIError {
    /// What a job's failure is as the answer to a blocking request.
    init(_ error: VideoJobError) {
        let codes: [Int: Code] = [400: .badRequest, 404: .notFound, 413: .tooLarge, 501: .notImplemented, 503: .unavailable, 507: .insufficientStorage]
        self.init(codes[error.code] ?? .internalError, "Video generation failed: \(error.message)", retryAfter: error.code == 503 ? 5 : nil)
    }
}
