import OmniAPI
import OmniEngine
import Synchronization

/// Durations counted into buckets, as Prometheus wants them.
public struct DurationHistogram: Sendable, Equatable {
    /// Upper bounds in seconds, those of other families and finer ones; one more bucket holds what is longer.
    public static let bounds = [0.001, 0.005, 0.01, 0.025] + MetricsRegistry.Family.seconds

    /// Observations in each bucket, not summed up.
    public private(set) var counts = [Int](repeating: 0, count: DurationHistogram.bounds.count + 1)
    /// Seconds, over all observations.
    public private(set) var sum = 0.0
    public var count: Int { counts.reduce(0, +) }

    public init() {}

    /// Observations in the buckets of `bounds`, which are some of its own, and in one more.
    func counts(in bounds: [Double]) -> [Int] {
        var merged = [Int](repeating: 0, count: bounds.count + 1)
        for (index, count) in counts.enumerated() {
            let end = index < Self.bounds.count ? Self.bounds[index] : .infinity
            merged[bounds.firstIndex { end <= $0 } ?? bounds.count] += count
        }
        return merged
    }

    mutating func add(_ seconds: Double) {
        let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        counts[bucket] += 1
        sum += seconds
    }
}

/// What a text engine has done and is doing, for `/metrics`. Totals count from the start of the engine.
public struct TextEngineStatistics: Sendable, Equatable {
    public var running = 0
    public var waiting = 0
    /// Prompt tokens computed; those taken from the cache are in ``cachedTokens``.
    public var promptTokens = 0
    public var generationTokens = 0
    public var cachedTokens = 0
    public var requestsFinished: [FinishReason: Int] = [:]
    public var requestsCancelled = 0
    public var preemptions = 0
    /// Steps of an answer in which guessed tokens were computed, those tokens, and those of them that came true.
    public var drafts = 0
    public var draftTokens = 0
    public var acceptedTokens = 0
    /// Share of the KV cache that holds something, running or kept for reuse; 0 to 1. Cells that sequences share count for
    /// each of them.
    public var cacheUsage = 0.0
    /// From a request's arrival to its place in a batch, seconds.
    public var queueWait = DurationHistogram()
    /// From arrival to the first token, seconds.
    public var timeToFirstToken = DurationHistogram()
    /// From arrival to the last token, seconds.
    public var requestDuration = DurationHistogram()
    /// From a client's leaving to the end of its work, seconds.
    public var cancelLatency = DurationHistogram()

    public init() {}
}

/// Keeps a ``TextEngineStatistics`` while the engine's thread works and others read.
final class TextMeter: Sendable {
    private struct State {
        var statistics = TextEngineStatistics()
        var stepBegan: ContinuousClock.Instant?
        var reservation = MemoryReservation()
        var fingerprint: String?
    }

    private let state = Mutex(State())

    var statistics: TextEngineStatistics { state.withLock { $0.statistics } }

    /// Time since the step under way began, nil between requests.
    var stalledFor: Duration? { state.withLock { state in state.stepBegan.map { ContinuousClock.now - $0 } } }

    var reservation: MemoryReservation { state.withLock { $0.reservation } }
    func note(_ reservation: MemoryReservation) { state.withLock { $0.reservation = reservation } }

    var fingerprint: String? { state.withLock { $0.fingerprint } }
    func note(fingerprint: String) { state.withLock { $0.fingerprint = fingerprint } }

    func beginStep() {
        state.withLock { $0.stepBegan = ContinuousClock.now }
    }

    func note(running: Int, waiting: Int) {
        state.withLock { state in
            state.statistics.running = running
            state.statistics.waiting = waiting
        }
    }

    func endStep(running: Int, waiting: Int, held: Int, cells: Int) {
        state.withLock { state in
            state.statistics.running = running
            state.statistics.waiting = waiting
            state.statistics.cacheUsage = min(Double(held) / Double(max(cells, 1)), 1)
            if running == 0, waiting == 0 { state.stepBegan = nil }
        }
    }

    func add(promptTokens: Int) { state.withLock { $0.statistics.promptTokens += promptTokens } }
    func add(cachedTokens: Int) { state.withLock { $0.statistics.cachedTokens += cachedTokens } }
    func addGenerated() { state.withLock { $0.statistics.generationTokens += 1 } }
    func addDraft(tokens: Int, accepted: Int) {
        state.withLock { state in
            state.statistics.drafts += 1
            state.statistics.draftTokens += tokens
            state.statistics.acceptedTokens += accepted
        }
    }
    func countPreemption() { state.withLock { $0.statistics.preemptions += 1 } }
    func queueWait(_ seconds: Double) { state.withLock { $0.statistics.queueWait.add(seconds) } }
    func firstToken(_ seconds: Double) { state.withLock { $0.statistics.timeToFirstToken.add(seconds) } }

    func requestDone(_ seconds: Double, _ reason: FinishReason) {
        state.withLock { state in
            state.statistics.requestDuration.add(seconds)
            state.statistics.requestsFinished[reason, default: 0] += 1
        }
    }

    /// The work of a client that left at `time` has ended; nil where it was given up otherwise.
    func cancelled(leftAt time: ContinuousClock.Instant?) {
        state.withLock { state in
            state.statistics.requestsCancelled += 1
            if let time { state.statistics.cancelLatency.add((ContinuousClock.now - time).seconds) }
        }
    }
}
