import Foundation
import OmniAPI

extension OmniClient {
    /// `/v1/videos`: videos are jobs, which outlive the connection.
    public var videos: Videos { Videos(transport: transport) }

    public struct Videos: Sendable {
        let transport: Transport

        /// Puts a job in the queue.
        ///
        /// - Parameter inputReference: the picture to start from.
        public func create(_ request: VideoGenerationRequest, inputReference: Upload? = nil, _ options: CallOptions = CallOptions())
            async throws -> VideoJob
        {
            let files = inputReference.map { [(name: "input_reference", upload: $0)] } ?? []
            return try await transport.json(.form("/v1/videos", request, files: files, options))
        }

        public func retrieve(_ id: String, _ options: CallOptions = CallOptions()) async throws -> VideoJob {
            do {
                return try await transport.json(.get("/v1/videos/\(Call.escape(id))", options))
            } catch let error as OmniError where error.body?["object"] == "video" {
                // vLLM-Omni gives a failed job the status of its error.
                return try VideoJob(json: error.body ?? .null, at: .root("reply"))
            }
        }

        /// A page of jobs, the newest first.
        public func list(_ query: VideoListQuery = VideoListQuery(), _ options: CallOptions = CallOptions()) async throws -> VideoJobList {
            let pairs = query.json.objectValue?.members.map { (name: $0.key, value: $0.value.stringValue ?? $0.value.jsonText) } ?? []
            return try await transport.json(.get("/v1/videos", query: pairs, options))
        }

        /// The file of a finished job.
        public func content(_ id: String, variant: VideoVariant = .video, _ options: CallOptions = CallOptions()) async throws -> ByteStream
        {
            let query = variant == .video ? [] : [(name: "variant", value: variant.rawValue)]
            return try await transport.bytes(.get("/v1/videos/\(Call.escape(id))/content", query: query, options))
        }

        /// Stops a job that runs or waits, and forgets it with its file.
        @discardableResult
        public func delete(_ id: String, _ options: CallOptions = CallOptions()) async throws -> VideoDeleted {
            try await transport.json(.delete("/v1/videos/\(Call.escape(id))", options))
        }

        /// The job as it is, then each change of it, until it is over. swift-omni only.
        public func events(_ id: String, _ options: CallOptions = CallOptions()) async throws -> EventStream<VideoJobEvent> {
            EventStream(
                try await transport.send(.get("/v1/videos/\(Call.escape(id))/events", options)),
                decode: { event, json in try VideoJobEvent(name: event.name, json: json).map { [$0] } ?? [] },
                whole: { [.job(try VideoJob(json: $0, at: .root("reply")))] })
        }

        /// Puts a job in the queue and waits until its video is there.
        ///
        /// Cancelling the task stops the waiting, not the job; ``delete(_:_:)`` does that.
        ///
        /// - Parameters:
        ///   - pause: between two looks at a server that tells no events.
        ///   - progress: called with the job after each change.
        /// - Throws: ``OmniError`` of kind ``OmniError/Kind/failed`` for a job that failed or was deleted meanwhile.
        public func createAndPoll(
            _ request: VideoGenerationRequest, inputReference: Upload? = nil, pause: Duration = .seconds(1),
            _ options: CallOptions = CallOptions(),
            progress: @Sendable (VideoJob) -> Void = { _ in }
        ) async throws -> VideoJob {
            let job = try await create(request, inputReference: inputReference, options)
            return try await wait(for: job, pause: pause, progress: progress)
        }

        /// Waits until a job is over; see ``createAndPoll(_:inputReference:pause:_:progress:)``.
        public func wait(for job: VideoJob, pause: Duration = .seconds(1), progress: @Sendable (VideoJob) -> Void = { _ in }) async throws
            -> VideoJob
        {
            var last = job
            progress(last)
            var tellsEvents = true
            while !last.status.isOver {
                if tellsEvents {
                    do {
                        for try await event in try await events(job.id) {
                            guard case .job(let changed) = event else { throw OmniError(.failed, "The job \(job.id) was deleted.") }
                            if changed != last { progress(changed) }
                            last = changed
                        }
                    } catch let error as OmniError where error.kind == .refused && [404, 405, 501].contains(error.status) {
                        tellsEvents = false
                    } catch let error as OmniError where error.kind == .interrupted || error.kind == .unreadable {
                        // The job goes on without us; so do we, by looking.
                        tellsEvents = false
                    }
                    if last.status.isOver { break }
                }
                try await transport.pause(pause)
                let changed = try await retrieve(job.id)
                if changed != last { progress(changed) }
                last = changed
            }
            if last.status == .failed {
                throw OmniError(.failed, last.error?.message ?? "The job \(job.id) failed.", status: last.error?.code)
            }
            return last
        }
    }
}
