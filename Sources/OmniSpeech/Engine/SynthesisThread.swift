import Foundation
import OmniAPI
import OmniEngine

/// The one thread that owns a voice: it takes the most urgent requests, speaks one sentence of each, and looks again.
///
/// New requests come first, so that every listener hears something soon; then those whose listeners will run dry first.
/// Sentences of several requests are spoken side by side: two on a core each take less than one after the other on both. Not
/// while others want the lane, who would wait for the longest of them.
// All mutable state is guarded by `condition`, except the voice and the front end, which only the thread touches.
final class SynthesisThread: @unchecked Sendable {
    private let condition = NSCondition()
    private var jobs: [SpeechJob] = []
    private var isClosing = false
    private var hasEnded = false
    private var busySince: ContinuousClock.Instant?
    /// Requests of which a sentence is being spoken.
    private var speaking = 0
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

    /// Requests that wait for their first sentence, and all others.
    var load: (waiting: Int, running: Int) {
        condition.withLock {
            let waiting = jobs.count(where: \.isFresh)
            return (waiting, jobs.count - waiting + speaking)
        }
    }

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
        while let turn = takeNext(atMost: voice.breadth) {
            let left = speak(turn, voice, frontEnd)
            condition.withLock {
                (busySince, speaking) = (nil, 0)
                jobs += left
            }
        }
        let left = condition.withLock { jobs }
        for job in left { job.mailbox.finish(.failure(APIError(.unavailable, "The speech model is being unloaded.", retryAfter: 5))) }
    }

    /// One sentence of each; those that have more. Others get the lane when all are through.
    private func speak(_ turn: [SpeechJob], _ voice: SherpaVoice, _ frontEnd: SpeechFrontEnd) -> [SpeechJob] {
        let ready = turn.filter { $0.prepare(frontEnd) }
        guard !ready.isEmpty else { return [] }
        lane.hold { DispatchQueue.concurrentPerform(iterations: ready.count) { ready[$0].speak(voice) } }
        return ready.filter { !$0.isOver }
    }

    /// Waits for jobs that can go on, and takes them out of the list; nil when closing.
    private func takeNext(atMost most: Int) -> [SpeechJob]? {
        condition.lock()
        defer { condition.unlock() }
        while !isClosing {
            var turn: [SpeechJob] = []
            let most = lane.isWanted ? 1 : most
            while turn.count < most, let urgent = mostUrgent { turn.append(jobs.remove(at: urgent)) }
            if !turn.isEmpty {
                (busySince, speaking) = (.now, turn.count)
                return turn
            }
            condition.wait()
        }
        return nil
    }

    /// Called with `condition` locked.
    private var mostUrgent: Int? {
        let ready = jobs.indices.filter { jobs[$0].isCancelled || !jobs[$0].isAhead }
        return ready.first { jobs[$0].isFresh || jobs[$0].isCancelled } ?? ready.min { jobs[$0].deadline < jobs[$1].deadline }
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
