import Foundation
import NIOCore
import OmniAPI
import OmniStore
import OmniWorkerAPI

/// Why a server elsewhere has not taken a job: it may later.
struct PeerRefusal: Error {
    var error: VideoJobError
    /// Seconds that it asked to wait.
    var retryAfter: Double?
}

/// An attempt on a server elsewhere, ours or a peer's: the request goes on, its job's id is kept in our row, and that job is
/// followed to its end, over restarts of ours too. Nothing that passes by itself ends it: a peer that is busy or down is asked
/// again later, and one that is silent while it works is waited for.
struct PeerAttempt: Sendable {
    let attempt: JobAttempt
    let backend: any Backend
    /// Seconds that a peer may be silent about a job that it has.
    let timeout: Double
    /// An earlier attempt may have come through although no answer did.
    let mayBeThere: Bool
    /// Called once the peer has the job.
    let onAccepted: @Sendable () async -> Void

    var job: StoredJob { attempt.job }

    /// Never throws: whatever happens is an outcome.
    func run() async -> JobOutcome {
        var remote = job.remote
        do {
            if remote == nil {
                remote = try await handOver()
                await onAccepted()
            }
            guard let there = remote else { return .interrupted(.serverStopped) }
            try Task.checkCancellation()
            return try await follow(there)
        } catch {
            // A server that ends in good order comes back to the job; a job that was deleted here is deleted there.
            if Task.isCancelled, let remote {
                await Task { if await attempt.store.isGone(job.id) { await Self.forget(remote, backend) } }.value
            }
            if Task.isCancelled, remote != nil { return .interrupted(.serverStopped) }
            if !Task.isCancelled, let refusal = error as? PeerRefusal { return .refused(refusal) }
            return attempt.outcome(of: error)
        }
    }

    // MARK: - Handing over

    /// Makes the job there, or finds it, and notes it in our row.
    private func handOver() async throws -> RemoteJob {
        let there = if mayBeThere, let found = try await lookFor() { found } else { try await post() }
        // Also when this task has been cancelled since: there is a job there.
        let (store, job) = (attempt.store, job)
        return try await Task { try await store.change(job.id, .forwarded(attempt: job.attempts, there))?.remote ?? there }.value
    }

    private func post() async throws -> RemoteJob {
        var headers = [("Idempotency-Key", job.id)]
        let form = try await form()
        headers.append(("Content-Type", form.contentType))
        let reply = try await asked(
            UpstreamRequest(method: "POST", path: "/v1/videos", headers: headers, body: ByteBuffer(bytes: form.body)))
        guard (200..<300).contains(reply.status) else {
            let error = try await JobAttempt.error(in: reply)
            if Self.passes(reply.status) { throw PeerRefusal(error: error, retryAfter: Self.retryAfter(reply, now: attempt.clock.now())) }
            // 500 is a server that broke under the job, which counts as a death.
            if error.code == 500 { throw APIError(.internalError, error.message) }
            throw APIError(.init(name: "remote", status: error.code, type: "BadRequestError"), error.message)
        }
        let text = String(buffer: try await reply.body.collect(upTo: 1 << 20))
        guard let id = try? JSONValue.parse(text)["id"]?.stringValue, let place = reply.place else {
            throw APIError(
                .init(name: "remote", status: 502, type: "InternalServerError"), "The server elsewhere took the job and gave no id.")
        }
        return RemoteJob(place: place, id: id)
    }

    private func form() async throws -> MultipartWriter {
        var form = MultipartWriter()
        for (name, value) in job.request.json.objectValue?.members ?? []
        where !["model", "webhook_url", "image_reference", "input_reference"].contains(name) {
            form.add(name, text: value.stringValue ?? value.jsonText)
        }
        form.add("model", text: job.model)
        if job.request.seed == nil { form.add("seed", text: String(job.seed)) }
        if job.hasPicture {
            let path = attempt.files.path(JobFiles.picture, of: job.id)
            let picture = try await onDisk { try Data(contentsOf: URL(filePath: path)) }
            form.add("input_reference", fileName: "input_reference", contentType: "application/octet-stream", [UInt8](picture))
        }
        return form
    }

    /// The job of an earlier attempt in the peer's list. A peer that keeps idempotency keys would give it for our request; others
    /// would make it twice.
    private func lookFor() async throws -> RemoteJob? {
        let reply = try await asked(UpstreamRequest(method: "GET", path: "/v1/videos?limit=100&order=desc", headers: []))
        let body = try await reply.body.collect(upTo: 16 << 20)
        // A peer without a list is asked to make it.
        let json = try? JSONValue.parse(String(buffer: body))
        guard reply.status == 200, let place = reply.place, let jobs = json?["data"]?.arrayValue else {
            guard Self.passes(reply.status) else { return nil }
            let message = json?["error"]?["message"]?.stringValue ?? "The server elsewhere answered \(reply.status)."
            throw PeerRefusal(
                error: VideoJobError(code: reply.status, message: message), retryAfter: Self.retryAfter(reply, now: attempt.clock.now()))
        }
        let ours = Set(try await attempt.store.page(after: nil, limit: nil, newestFirst: true).jobs.compactMap(\.remote))
        // A server of ours, which shows itself by this member, keeps the key: what it answers to the request is surer than a look.
        guard !jobs.contains(where: { $0.objectValue?.keys.contains("queue_position") == true }) else { return nil }
        // Clocks of two machines differ by some minutes at most.
        let earliest = Int(job.createdAt) - 300
        let found = jobs.first { there in
            guard let id = there["id"]?.stringValue, let created = there["created_at"]?.intValue, created >= earliest else { return false }
            return there["prompt"]?.stringValue == job.request.prompt && !ours.contains(RemoteJob(place: place, id: id))
        }
        return found?["id"]?.stringValue.map { RemoteJob(place: place, id: $0) }
    }

    /// The peer's reply. A server that cannot be reached has refused.
    private func asked(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        do {
            return try await backend.send(request)
        } catch let error as APIError where Self.passes(error.status) {
            throw PeerRefusal(
                error: VideoJobError(code: error.status, message: error.message), retryAfter: error.retryAfter.map(Double.init))
        }
    }

    /// Statuses of a server, or of a proxy before it, that may take the same request later.
    private static func passes(_ status: Int) -> Bool { [408, 425, 429, 502, 503, 504].contains(status) }

    /// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
    private static func retryAfter(_ reply: UpstreamResponse, now: Double) -> Double? {
        guard let text = reply.headers.first(where: { $0.0.lowercased() == "retry-after" })?.1.trimmingCharacters(in: .whitespaces) else {
            return nil
        }
        if let seconds = Double(text), seconds.isFinite { return max(0, seconds) }
        return HTTPTime(text).map { max(0, $0.seconds - now) }
    }

    // MARK: - Following

    /// Polls the job there until it is over. A server that says nothing of it is waited for as long as timeout lasts; then the
    /// job fails, since the clip may yet be made there.
    private func follow(_ remote: RemoteJob) async throws -> JobOutcome {
        var silence: (since: Double, pause: Double)?
        while true {
            var reason: String
            do {
                let reply = try await backend.send(
                    UpstreamRequest(method: "GET", path: Self.path(remote), headers: [], place: remote.place))
                let body = try await reply.body.collect(upTo: 4 << 20)
                guard reply.status != 404 else { return .interrupted(.workerDied("the server elsewhere does not know the job any more")) }
                reason = "it answered \(reply.status)"
                // A failed job of the peer answers with its error's status.
                if let json = try? JSONValue.parse(String(buffer: body)), let there = try? VideoJob(json: json) {
                    if let outcome = try await note(there, remote) { return outcome }
                    silence = nil
                    try await attempt.clock.sleep(1)
                    continue
                }
            } catch let fault as FetchFault {
                return .failed(fault.error)
            } catch let error as APIError where error.status == 507 {
                // Our disk, not the peer.
                throw error
            } catch  where !Task.isCancelled && !(error is CancellationError) {
                reason = (error as? APIError)?.message ?? "\(error)"
            }
            let now = attempt.clock.now()
            let (since, pause) = silence ?? (now, 1)
            guard now - since < timeout else {
                return .failed(
                    VideoJobError(
                        code: 504, message: "The server elsewhere has said nothing of the job for \(Int(now - since)) seconds: \(reason)"))
            }
            silence = (since, min(pause * 2, 30))
            try await attempt.clock.sleep(pause)
        }
    }

    /// What the job there says of itself; an outcome once it is over.
    private func note(_ there: VideoJob, _ remote: RemoteJob) async throws -> JobOutcome? {
        switch there.status {
        case .queued: return nil
        case .inProgress:
            // The peer knows no stages: all of its work counts as the longest.
            let stage = there.stage.flatMap(VideoTaskStage.init) ?? .denoise
            let isOurs = there.stage != nil
            attempt.board.report(job.id, stage, step: isOurs ? there.step ?? 0 : there.progress, steps: isOurs ? there.steps ?? 1 : 100)
            return nil
        case .failed: return .failed(there.error ?? VideoJobError(code: 500, message: "The server elsewhere gave no reason."))
        case .completed:
            let thumbnail = try? await fetch("content?variant=thumbnail", of: remote, as: "thumbnail.\(job.attempts).jpg", only: "image/")
            let clip = "clip.\(job.attempts).mp4"
            let bytes = try await fetch("content", of: remote, as: clip, only: "video/")
            var result = VideoTaskResult()
            (result.clip, result.bytes, result.thumbnail) = (clip, bytes, thumbnail == nil ? nil : "thumbnail.\(job.attempts).jpg")
            (result.fps, result.frames, result.seconds) = (there.fps ?? 0, there.frames ?? 0, there.duration ?? 0)
            if let size = there.size.flatMap({ ImageSize($0) }) { (result.width, result.height) = (size.width, size.height) }
            (result.inferenceSeconds, result.peakMemory) = (there.inferenceSeconds ?? 0, there.peakMemory ?? 0)
            result.stageDurations = there.stageDurations ?? JSONObject()
            result.metrics = there.metrics
            return .completed(result)
        }
    }

    /// A clip that will not come, however often it is asked for.
    private struct FetchFault: Error {
        let error: VideoJobError
    }

    /// Streams a file of the job there into ours; its bytes.
    private func fetch(_ part: String, of remote: RemoteJob, as name: String, only type: String) async throws -> Int {
        let reply = try await backend.send(
            UpstreamRequest(method: "GET", path: "\(Self.path(remote))/\(part)", headers: [], place: remote.place))
        guard reply.status == 200 else {
            let error = VideoJobError(code: 502, message: "The server elsewhere has made the clip and gave no file, but \(reply.status).")
            if (400..<500).contains(reply.status), !Self.passes(reply.status) { throw FetchFault(error: error) }
            throw APIError(.internalError, error.message)
        }
        guard reply.headers.contains(where: { $0.0.lowercased() == "content-type" && $0.1.hasPrefix(type) }) else {
            throw FetchFault(error: VideoJobError(code: 502, message: "The server elsewhere gave no file of type \(type)*."))
        }
        let (path, files, id) = (attempt.files.path(name, of: job.id), attempt.files, job.id)
        let file = try await onDisk {
            try files.makeFolder(of: id); return try DurableFile.create(path + ".partial")
        }
        defer { close(file) }
        var bytes = 0
        for try await chunk in reply.body {
            bytes += chunk.readableBytes
            try await onDisk { try chunk.withUnsafeReadableBytes { try DurableFile.append($0, to: file) } }
        }
        try await onDisk {
            try files.room(for: 0); try DurableFile.publish(path + ".partial", as: path)
        }
        return bytes
    }

    /// Lets the job there go, with its files.
    static func forget(_ remote: RemoteJob, _ backend: any Backend) async {
        let reply = try? await backend.send(UpstreamRequest(method: "DELETE", path: Self.path(remote), headers: [], place: remote.place))
        _ = try? await reply?.body.collect(upTo: 1 << 20)
    }

    private static func path(_ remote: RemoteJob) -> String {
        "/v1/videos/"
            + (remote.id.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_."))) ?? "")
    }
}
