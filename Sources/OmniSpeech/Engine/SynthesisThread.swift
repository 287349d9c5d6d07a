import Foundation
import OmniAPI
import OmniEngine

/// The one thread that owns a voice: it takes the most urgent request, speaks one sentence of it, and looks again.
///
/// New requests come first, so that every listener hears something soon; then the one whose listener will run dry first.
// All mutable state is guarded by `condition`, except the voice and the front end, which only the thread touches.
final class SynthesisThread: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [SpeechJob] = []
    private var isClosing = false
    private var hasEnded = false
    private var busySince: ContinuousClock.Instant?
    private let lane: any ComputeLane

    /// Starts the thread, which makes the voice itself; returns once it is loaded. Must not be called on the cooperative pool.
    init(lane: any ComputeLane, load: @escaping @Sendable () throws -> (SherpaVoice, SpeechFrontEnd)) throws {
        self.lane = lane
        let loaded = LoadResult()
        let thread = Thread { [self] in
            do {
                let (voice, frontEnd) = try load()
                loaded.set(nil)
                run(voice, frontEnd)
            } catch {
                loaded.set(error)
            }
            condition.withLock {
                hasEnded = true
                condition.broadcast()
            }
        }
        thread.name = "omni-speech"
        thread.stackSize = 16 << 20
        thread.start()
        if let error = loaded.wait() { throw error }
    }

    /// Time since the unit in work began; nil when idle.
    var stalledFor: Duration? { condition.withLock { busySince.map { ContinuousClock.now - $0 } } }

    /// How many requests are in work or wait.
    var count: Int { condition.withLock { jobs.count } }

    /// Hands a request over; false when the thread is closing.
    func submit(_ job: sending SpeechJob) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosing else { return false }
        jobs.append(job)
        condition.signal()
        return true
    }

    /// A reader has taken sound, or has gone: look again.
    func wake() { condition.withLock { condition.signal() } }

    /// Ends all requests with 503 and the thread after its unit, and gives the voice's memory back. Returns at once.
    func close() {
        condition.withLock {
            isClosing = true
            condition.broadcast()
        }
    }

    /// Returns when the thread is gone. Blocks.
    func join() {
        condition.withLock { while !hasEnded { condition.wait() } }
    }

    private func run(_ voice: SherpaVoice, _ frontEnd: SpeechFrontEnd) {
        while let job = takeNext() {
            let isOver = job.step(voice, frontEnd, lane: lane)
            condition.withLock {
                busySince = nil
                if !isOver { jobs.append(job) }
            }
        }
        let left = condition.withLock { jobs }
        for job in left { job.mailbox.finish(.failure(APIError(.unavailable, "The speech model is being unloaded.", retryAfter: 5))) }
    }

    /// Waits for a job that can go on, and takes it out of the list; nil when closing.
    private func takeNext() -> SpeechJob? {
        condition.lock()
        defer { condition.unlock() }
        while !isClosing {
            let ready = jobs.indices.filter { jobs[$0].isCancelled || !jobs[$0].isAhead }
            let urgent = ready.first { jobs[$0].isFresh || jobs[$0].isCancelled } ?? ready.min { jobs[$0].deadline < jobs[$1].deadline }
            if let urgent {
                busySince = .now
                return jobs.remove(at: urgent)
            }
            condition.wait()
        }
        return nil
    }
}

/// A one-time hand-over between two threads.
// Guarded by `condition`.
private final class LoadResult: @unchecked Sendable {
    private let condition = NSCondition()
    private var isSet = false
    private var error: (any Error)?

    func set(_ error: (any Error)?) {
        condition.withLock {
            self.error = error
            isSet = true
            condition.signal()
        }
    }

    func wait() -> (any Error)? {
        condition.withLock {
            while !isSet { condition.wait() }
            return error
        }
    }
}
