import Foundation
import NIOCore
import OmniAPI
import OmniStore

/// An attempt on a server elsewhere, ours or a peer's: the request goes on, its job's id is kept in our row, and that job is
/// followed to its end, over restarts of ours too.
extension JobAttempt {
    func runElsewhere(_ backend: any Backend) async -> JobOutcome {
        var remote = job.remote
        do {
            if remote == nil { remote = try await forward(to: backend) }
            guard let there = remote else { return .interrupted(.serverStopped) }
            try Task.checkCancellation()
            return try await follow(there, backend)
        } catch {
            // A server that ends in good order comes back to the job; a job that was deleted here is deleted there.
            if Task.isCancelled, let remote { await Task { if await store.isGone(job.id) { await Self.forget(remote, backend) } }.value }
            if Task.isCancelled, remote != nil { return .interrupted(.serverStopped) }
            return outcome(of: error)
        }
    }

    /// Makes the job there, and notes it in our row.
    private func forward(to backend: any Backend) async throws -> RemoteJob {
        var form = RemoteForm()
        for (name, value) in job.request.json.objectValue?.members ?? [] where !["model", "webhook_url", "image_reference", "input_reference"].contains(name) {
            form.add(name, value.stringValue ?? value.jsonText)
        }
        form.add("model", job.model)
        if job.request.seed == nil { form.add("seed", String(job.seed)) }
        if job.hasPicture {
            let path = files.path(JobFiles.picture, of: job.id)
            form.addFile("input_reference", try await onDisk { Result { try Data(contentsOf: URL(filePath: path)) } }.get())
        }
        let request = UpstreamRequest(method: "POST", path: "/v1/videos", headers: [("Content-Type", form.contentType), ("Idempotency-Key", job.id)], body: form.body)
        let reply = try await backend.send(request)
        guard (200..<300).contains(reply.status) else {
            let error = try await Self.error(in: reply)
            throw APIError(.init(name: "remote", status: error.code, type: "BadRequestError"), error.message)
        }
        guard let id = try JSONValue.parse(String(buffer: try await reply.body.collect(upTo: 1 << 20)))["id"]?.stringValue, let place = reply.place else {
            throw APIError(.internalError, "The server elsewhere gave no id.")
        }
        // Also when this task has been cancelled since: there is a job there.
        return try await Task { try await store.change(job.id, .forwarded(attempt: job.attempts, RemoteJob(place: place, id: id)))?.remote ?? RemoteJob(place: place, id: id) }.value
    }

    /// Polls the job there until it is over. A server that cannot be reached is waited for, ten minutes at most.
    private func follow(_ remote: RemoteJob, _ backend: any Backend) async throws -> JobOutcome {
        var silentSince: ContinuousClock.Instant?
        while true {
            do {
                let reply = try await backend.send(UpstreamRequest(method: "GET", path: Self.path(remote), headers: [], place: remote.place))
                let body = try await reply.body.collect(upTo: 4 << 20)
                guard reply.status != 404 else { return .interrupted(.workerDied("the server elsewhere does not know the job any more")) }
                // A failed job of the peer answers with its error's status.
                if let json = try? JSONValue.parse(String(buffer: body)), let there = try? VideoJob(json: json) {
                    silentSince = nil
                    if let outcome = try await note(there, remote, backend) { return outcome }
                }
            } catch let error as APIError where !Task.isCancelled {
                let since = silentSince ?? .now
                silentSince = since
                if ContinuousClock.now - since > .seconds(600) { return .interrupted(.workerDied("the server elsewhere has not answered for ten minutes: \(error.message)")) }
            }
            try await Task.sleep(for: .seconds(silentSince == nil ? 1 : 5))
        }
    }

    /// What the job there says of itself; an outcome once it is over.
    private func note(_ there: VideoJob, _ remote: RemoteJob, _ backend: any Backend) async throws -> JobOutcome? {
        switch there.status {
        case .queued: return nil
        case .inProgress:
            // The peer knows no stages: all of its work counts as the longest.
            let stage = there.stage.flatMap(FilmStage.init) ?? .denoise
            let isOurs = there.stage != nil
            board.report(job.id, stage, step: isOurs ? there.step ?? 0 : there.progress, steps: isOurs ? there.steps ?? 1 : 100)
            return nil
        case .failed: return .failed(there.error ?? VideoJobError(code: 500, message: "The server elsewhere gave no reason."))
        case .completed:
            let thumbnail = try? await fetch("content?variant=thumbnail", of: remote, backend, as: "thumbnail.\(job.attempts).jpg", only: "image/")
            let clip = "clip.\(job.attempts).mp4"
            let bytes = try await fetch("content", of: remote, backend, as: clip, only: "video/")
            var result = JobResult()
            (result.clip, result.bytes, result.thumbnail) = (clip, bytes, thumbnail == nil ? nil : "thumbnail.\(job.attempts).jpg")
            (result.fps, result.frames, result.seconds) = (there.fps ?? 0, there.frames ?? 0, there.duration ?? 0)
            if let size = there.size.flatMap({ ImageSize($0) }) { (result.width, result.height) = (size.width, size.height) }
            (result.inferenceSeconds, result.peakMemory) = (there.inferenceSeconds ?? 0, there.peakMemory ?? 0)
            result.stageDurations = there.stageDurations ?? JSONObject()
            result.metrics = there.metrics
            return .completed(result)
        }
    }

    /// Streams a file of the job there into ours; its bytes.
    private func fetch(_ part: String, of remote: RemoteJob, _ backend: any Backend, as name: String, only type: String) async throws -> Int {
        let reply = try await backend.send(UpstreamRequest(method: "GET", path: "\(Self.path(remote))/\(part)", headers: [], place: remote.place))
        let isRight = reply.headers.contains { $0.0.lowercased() == "content-type" && $0.1.hasPrefix(type) }
        guard reply.status == 200, isRight else { throw APIError(.internalError, "The server elsewhere gave no file, but \(reply.status).") }
        let (path, files, id) = (files.path(name, of: job.id), files, job.id)
        let file = try await onDisk { Result { try files.makeFolder(of: id); return try DurableFile.create(path + ".partial") } }.get()
        defer { close(file) }
        var bytes = 0
        for try await chunk in reply.body {
            bytes += chunk.readableBytes
            try await onDisk { Result { try chunk.withUnsafeReadableBytes { try DurableFile.append($0, to: file) } } }.get()
        }
        try await onDisk { Result { try files.room(for: 0); try DurableFile.publish(path + ".partial", as: path) } }.get()
        return bytes
    }

    /// Lets the job there go, with its files.
    static func forget(_ remote: RemoteJob, _ backend: any Backend) async {
        let reply = try? await backend.send(UpstreamRequest(method: "DELETE", path: Self.path(remote), headers: [], place: remote.place))
        _ = try? await reply?.body.collect(upTo: 1 << 20)
    }

    private static func path(_ remote: RemoteJob) -> String {
        "/v1/videos/" + (remote.id.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_."))) ?? "")
    }
}

/// A `multipart/form-data` body, as all servers of the API take it.
private struct RemoteForm {
    private let boundary = "omni-" + UUID().uuidString
    private var bytes = ByteBuffer()

    var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    var body: ByteBuffer {
        var body = bytes
        body.writeString("--\(boundary)--\r\n")
        return body
    }

    /// Names are those of fields: they need no escaping.
    mutating func add(_ name: String, _ value: String) {
        bytes.writeString("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n")
    }

    mutating func addFile(_ name: String, _ file: Data) {
        bytes.writeString("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"\(name)\"\r\nContent-Type: application/octet-stream\r\n\r\n")
        bytes.writeBytes(file)
        bytes.writeString("\r\n")
    }
}
