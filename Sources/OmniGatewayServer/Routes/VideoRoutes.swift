import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniStore
import OmniWorkerAPI

/// `/v1/videos`, and the same under `/v1/videos/generations`.
struct VideoRoutes: RouteGroup {
    let catalogue: Catalogue
    let videos: VideoJobService

    func add(to table: inout RouteTable) {
        for path in ["/v1/videos", "/v1/videos/generations"] {
            table.add(.post, path, VideoDocs.create) { request, context in
                let (asked, files, entry, ignored) = try await order(request, context)
                let key = try Self.idempotencyKey(request)
                let job = try await videos.submit(asked, files: files, to: entry, key: key, isSync: false)
                return .json(try await videos.view(job).json, ignored: ignored)
            }
            table.add(.get, path, VideoDocs.list) { request, _ in
                let query = try VideoListQuery(request)
                let page = try await videos.runner.store.page(after: query.after, limit: query.limit, newestFirst: query.order == .desc)
                return .json(VideoJobList(try await videos.view(page.jobs), hasMore: page.hasMore).json)
            }
            table.add(.get, path + "/{id}", VideoDocs.about("A video job.").answers(VideoJob.self)) { _, context in
                .json(try await videos.view(try await videos.known(context.videoID)).json)
            }
            table.add(
                .delete, path + "/{id}",
                VideoDocs.about("Removes a video job and its files; one that runs is stopped.").answers(VideoDeleted.self)
            ) { _, context in
                let job = try await videos.known(context.videoID)
                guard try await videos.runner.delete(job.id) else { throw APIError(.notFound, "Video not found") }
                return .json(VideoDeleted(id: job.id).json)
            }
            for method in [HTTPRequest.Method.get, .head] {
                table.add(method, path + "/{id}/content", VideoDocs.content(method)) { request, context in
                    try await content(request, context)
                }
            }
            table.add(.get, path + "/{id}/events", VideoDocs.events) { _, context in
                try await events(context)
            }
        }
        table.add(SyncVideoRoutes(orders: self))
    }

    /// Reads a request for a clip and finds its model.
    func order(_ request: Request, _ context: OmniContext) async throws -> (
        VideoGenerationRequest, SpooledForm, CatalogueEntry, ignored: String?
    ) {
        let isJSON = request.headers[.contentType]?.lowercased().hasPrefix("application/json") ?? false
        let files = isJSON ? SpooledForm() : try await context.spoolForm(request, to: videos.runner.files)
        let body = isJSON ? try await context.collectJSON(request) : JSONBody(bytes: ByteBuffer(), json: try files.form.videoJSON())
        let (asked, header) = try context.decodeVideo(from: body)
        let entry = try catalogue.entry(named: asked.model, able: [.video], task: "video generation")
        var known = VideoGenerationRequest.fileNames.union(["input_references[]", "input_reference[]"])
        let ignored = try context.naming(files.files.map(\.name).filter { known.insert($0).inserted }, beside: header)
        return (asked, files, entry, entry.telling(ignored))
    }

    private static func idempotencyKey(_ request: Request) throws -> String? {
        guard let key = request.headers[.idempotencyKey] else { return nil }
        guard (1...255).contains(key.utf8.count) else { throw APIError(.badRequest, "Idempotency-Key must have 1 to 255 characters.") }
        return key
    }

    private func content(_ request: Request, _ context: OmniContext) async throws -> Response {
        let job = try await videos.known(context.videoID)
        let named = request.uri.queryParameters["variant"].map(String.init) ?? "video"
        guard let variant = VideoVariant(rawValue: named) else {
            throw APIError(
                .badRequest, "There is no variant `\(named.prefix(32))`.", remedy: "Use video or thumbnail.", param: "query.variant")
        }
        if let error = job.error { throw APIError(.unprocessable, "Video generation failed: \(error.message)") }
        guard let result = job.result else {
            throw APIError(.notFound, "Generation is still in-progress", remedy: "Ask again when its status is completed.")
        }
        guard !result.isExpired else {
            throw APIError(
                .notFound, "Generated video file not found on disk", remedy: "Its time was over; --job-ttl sets how long results are kept.")
        }
        guard let name = variant == .video ? result.clip : result.thumbnail else {
            throw APIError(.notFound, "This video has no thumbnail.")
        }
        let reply = FileReply(
            path: videos.runner.files.path(name, of: job.id), contentType: variant.contentType, tag: "\(job.id)-\(name)",
            modified: job.completedAt ?? 0,
            disposition: "attachment; filename=\"\(job.id).\(variant.fileExtension)\"")
        return try await reply.response(to: request, context)
    }

    /// The job as it is, then each change until it is over or deleted.
    private func events(_ context: OmniContext) async throws -> Response {
        let id = try await videos.known(context.videoID).id
        return context.eventStream { sink in
            for await _ in videos.runner.board.changes(of: id) {
                guard let job = try await videos.job(id) else { return try await sink.event(.deleted(VideoDeleted(id: id))) }
                let event = VideoJobEvent.job(try await videos.view(job))
                try await sink.event(event)
                if event.isLast { return }
            }
        }
    }
}

extension EventSink {
    fileprivate func event(_ event: VideoJobEvent) async throws { try await self.event(event.name, event.json) }
}

extension Form {
    /// The text fields; `name[key]` is a member of an object, as OpenAI's clients write one.
    fileprivate func videoJSON() throws -> JSONValue {
        var object = try json(excluding: VideoGenerationRequest.fileNames.subtracting(["input_reference"])).objectValue ?? JSONObject()
        for (key, value) in object.members {
            guard key.hasSuffix("]"), let bracket = key.firstIndex(of: "["), bracket != key.startIndex else { continue }
            let (name, inner) = (String(key[..<bracket]), String(key[key.index(after: bracket)...].dropLast()))
            object[key] = nil
            var member = object[name]?.objectValue ?? JSONObject()
            member[inner] = value
            object[name] = .object(member)
        }
        return .object(object)
    }
}

extension OmniContext {
    fileprivate var videoID: String { parameters.get("id").flatMap { $0.removingPercentEncoding } ?? "" }

    /// Decodes a request for a clip; fields without effect are named in `x-ignored-params`, too.
    func decodeVideo(from body: JSONBody) throws -> (VideoGenerationRequest, ignored: String?) {
        let (value, header) = try decode(VideoGenerationRequest.self, from: body)
        var ignored = IgnoredFields()
        ignored.names = (value.extraParameters?.keys ?? []).map { "extra_params.\($0)" }
        if limits.strictParameters, let name = ignored.names.first {
            throw APIError(.badRequest, "Unknown field `\(name)`.", remedy: "The server runs with --strict-params.", param: "body.\(name)")
        }
        ignored.names += VideoGenerationRequest.unusedNames.filter { body.json[$0].map { !$0.isNull } ?? false }
        return (value, joined(ignored, to: header))
    }
}

extension VideoListQuery {
    fileprivate init(_ request: Request) throws {
        var object = JSONObject()
        for name in ["after", "limit", "order"] {
            if let value = request.uri.queryParameters[Substring(name)] { object[name] = .string(String(value)) }
        }
        try self.init(json: .object(object), at: .root("query"))
    }
}

extension HTTPField.Name {
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
}
