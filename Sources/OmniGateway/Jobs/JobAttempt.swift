import NIOCore
import OmniAPI
import OmniStore
import OmniWorkerAPI

/// How an attempt ended.
enum JobOutcome: Sendable {
    case completed(VideoTaskResult)
    case failed(VideoJobError)
    case interrupted(Interruption)
    /// The server elsewhere is busy or cannot be reached.
    case refused(PeerRefusal)

    func change(attempt: Int) -> JobChange {
        switch self {
        case .completed(let result): .completed(attempt: attempt, result)
        case .failed(let error): .failed(attempt: attempt, error)
        case .interrupted(let cause): .interrupted(attempt: attempt, cause)
        case .refused: .interrupted(attempt: attempt, .notTaken)
        }
    }

    var summary: String {
        switch self {
        case .completed(let result): "completed, \(result.bytes) bytes"
        case .failed(let error): "failed: \(error.code) \(error.message)"
        case .interrupted(let cause): "interrupted: \(cause)"
        case .refused(let refusal): "not taken by the server elsewhere: \(refusal.error.code) \(refusal.error.message)"
        }
    }
}

/// One attempt at a job. Never throws: whatever happens is an outcome. Cancelling its task stops the work.
struct JobAttempt: Sendable {
    let job: StoredJob
    let files: JobFiles
    let board: JobProgressTracker
    let store: any JobStore
    var clock = JobClock.system

    /// On a worker of ours.
    func run(on backend: any Backend) async -> JobOutcome {
        do {
            let files = files
            let room = try await onDisk { [job] in
                try files.makeFolder(of: job.id)
                return try files.room()
            }
            let order = VideoTask(job, folder: files.folder(of: job.id), mostBytes: room)
            let reply = try await send(UpstreamRequest(posting: order.json, to: VideoTask.path, requestID: job.id), to: backend)
            guard reply.status == 200 else { return .failed(try await Self.error(in: reply)) }
            return await follow(reply.body)
        } catch {
            return outcome(of: error)
        }
    }

    /// Reads the worker's reports to the last.
    private func follow(_ body: UpstreamBody) async -> JobOutcome {
        do {
            for try await line in LineSequence(body) {
                switch try VideoTaskEvent(json: try JSONValue.parse(line)) {
                case .progress(let stage, let step, let steps): board.report(job.id, stage, step: step, steps: steps)
                case .done(let result): return .completed(result)
                case .failed(let error): return .failed(error)
                case nil: continue
                }
            }
        } catch {
            if !Task.isCancelled { return .interrupted(.workerDied("\(error)")) }
        }
        return .interrupted(Task.isCancelled ? .serverStopped : .workerDied("its answer ended early"))
    }

    /// Sends once the model is up. One that has gone down between the look and the request is waited for again.
    private func send(_ request: UpstreamRequest, to backend: any Backend) async throws -> UpstreamResponse {
        while true {
            try await waitUntilReady(backend)
            do {
                let reply = try await backend.send(request)
                if reply.status != 503 { return reply }
            } catch let error as APIError where error.status == 503 {}
            try await clock.sleep(0.1)
        }
    }

    /// A model that sleeps is woken; one that loads is waited for, which is the job's first stage.
    private func waitUntilReady(_ backend: any Backend) async throws {
        while true {
            switch backend.status.state {
            case .ready: return
            case .asleep: _ = try await backend.wake()
            case .loading(let fraction): board.report(job.id, .load, step: Int(fraction * 100), steps: 100)
            case .restarting: board.report(job.id, .load, step: 0, steps: 100)
            case .failed(let reason): throw APIError(.unavailable, "The model `\(job.model)` cannot be served: \(reason)")
            }
            try await clock.sleep(0.05)
        }
    }

    func outcome(of error: any Error) -> JobOutcome {
        if Task.isCancelled || error is CancellationError { return .interrupted(.serverStopped) }
        guard let error = error as? APIError else { return .interrupted(.workerDied("\(error)")) }
        // 500 is a worker that broke; all else says what is wrong with the job or its model.
        return error.status == 500
            ? .interrupted(.workerDied(error.message)) : .failed(VideoJobError(code: error.status, message: error.fullMessage))
    }

    static func error(in reply: UpstreamResponse) async throws -> VideoJobError {
        let text = String(buffer: try await reply.body.collect(upTo: 1 << 20))
        let message = (try? JSONValue.parse(text))?["error"]?["message"]?.stringValue
        return VideoJobError(code: reply.status, message: message ?? "The model's server answered \(reply.status).")
    }
}

extension VideoTask {
    init(_ job: StoredJob, folder: String, mostBytes: Int?) {
        self.init()
        (id, attempt, self.folder, request, seed, hasPicture) = (job.id, job.attempts, folder, job.request, job.seed, job.hasPicture)
        self.mostBytes = mostBytes
    }
}

/// A body's lines.
struct LineSequence: AsyncSequence {
    typealias Element = String
    private let body: UpstreamBody

    init(_ body: UpstreamBody) { self.body = body }

    struct AsyncIterator: AsyncIteratorProtocol {
        var chunks: UpstreamBody.AsyncIterator
        var rest: [UInt8] = []

        mutating func next() async throws -> String? {
            while true {
                if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { rest.removeSubrange(...end) }
                    return String(decoding: rest[..<end], as: UTF8.self)
                }
                guard let chunk = try await chunks.next() else { return nil }
                rest.append(contentsOf: chunk.readableBytesView)
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: body.makeAsyncIterator()) }
}
