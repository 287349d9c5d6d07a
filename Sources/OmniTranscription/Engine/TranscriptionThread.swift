import Foundation
import OmniAPI
import OmniEngine

/// The one thread that owns a model: it hears a piece of each request in turn, so that several share it fairly.
// @unchecked: all mutable state is guarded by `condition`, except the recognizer, which only the thread touches.
final class TranscriptionThread: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [TranscriptionJob] = []
    private var isWorking = false
    private var isClosing = false
    private var hasEnded = false
    private let turn: GraphTurn

    private init(turn: GraphTurn) { self.turn = turn }

    /// Starts the thread, which loads the model itself; returns once it is loaded.
    static func start(turn: GraphTurn, load: @escaping @Sendable () throws -> Recognizer) async throws -> (
        TranscriptionThread, Recognizer.Facts
    ) {
        let transcription = TranscriptionThread(turn: turn)
        let facts = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Recognizer.Facts, any Error>) in
            let thread = Thread {
                do {
                    let recognizer = try load()
                    continuation.resume(returning: recognizer.facts)
                    transcription.run(recognizer)
                } catch {
                    continuation.resume(throwing: error)
                }
                transcription.condition.withLock {
                    transcription.hasEnded = true
                    transcription.condition.broadcast()
                }
            }
            thread.name = "omni-transcription"
            thread.stackSize = 16 << 20
            thread.start()
        }
        return (transcription, facts)
    }

    var stalledFor: Duration? { turn.stalledFor }

    /// Requests in work and waiting.
    var load: (running: Int, waiting: Int) { condition.withLock { (isWorking ? 1 : 0, jobs.count) } }

    /// Hands a request over. Throws 503 when the thread is closing, or has as many as it may have.
    func submit(_ job: TranscriptionJob, most: Int) throws {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosing else { throw APIError.earsUnloading }
        guard jobs.count + (isWorking ? 1 : 0) < most else {
            throw APIError(.unavailable, "The transcription model has \(most) requests already.", remedy: "Try again later.", retryAfter: 5)
        }
        jobs.append(job)
        condition.signal()
    }

    /// Ends all requests with 503 and the thread within its graph, and gives the model's memory back. Returns at once.
    func close() {
        turn.close()
        condition.withLock {
            isClosing = true
            condition.broadcast()
        }
    }

    /// Closes, and returns when the thread is gone.
    func end() async {
        close()
        try? await BlockingThread.run(name: "omni-transcription-end") { [self] in
            condition.withLock { while !hasEnded { condition.wait() } }
        }
    }

    private func run(_ recognizer: Recognizer) {
        while let job = takeNext() {
            turn.setBusy(true)
            let goesOn = step(job, recognizer)
            turn.setBusy(false)
            condition.withLock {
                isWorking = false
                if goesOn { jobs.append(job) }
            }
        }
        for job in condition.withLock({ jobs }) { job.end(.failure(APIError.earsUnloading)) }
    }

    private func step(_ job: TranscriptionJob, _ recognizer: Recognizer) -> Bool {
        do {
            return try job.step(recognizer)
        } catch is CancellationError where !job.isCancelled {
            job.end(.failure(APIError.earsUnloading))
        } catch {
            job.end(.failure(error))
        }
        return false
    }

    private func takeNext() -> TranscriptionJob? {
        condition.lock()
        defer { condition.unlock() }
        while !isClosing {
            if !jobs.isEmpty {
                isWorking = true
                return jobs.removeFirst()
            }
            condition.wait()
        }
        return nil
    }
}

extension APIError {
    fileprivate static var earsUnloading: APIError { APIError(.unavailable, "The transcription model is being unloaded.", retryAfter: 5) }
}
