/// When a model's jobs may go to the server elsewhere that serves it. A pure value: the time comes with each event.
///
/// A peer that takes no job is asked again after a pause, longer each time, with the job that is first in the queue and with no
/// other, until it takes one: jobs keep their order, and a busy peer is not asked by all of them.
struct PeerQueue: Sendable, Equatable {
    /// Seconds after the first refusal; doubled after each.
    static let firstPause = 5.0
    static let longestPause = 300.0
    /// A peer may ask for a longer pause than ours; more than this it does not get.
    static let longestRetryAfter = 3600.0

    /// A row of refusals.
    private struct Refusals: Equatable {
        let since: Double
        var count: Int
        var until: Double
        /// A job is on its way to find out whether the peer takes it.
        var isProbed = false
    }

    private var refusals: Refusals?

    /// Whether a job may go now.
    func isOpen(now: Double) -> Bool { refusals.map { !$0.isProbed && now >= $0.until } ?? true }

    /// When a job may go that may not now; nil where one may, or one is on its way.
    func opens(after now: Double) -> Double? { refusals.flatMap { !$0.isProbed && now < $0.until ? $0.until : nil } }

    /// Since when the peer has taken nothing; nil when it takes jobs.
    var refusedSince: Double? { refusals?.since }

    /// A job goes there.
    mutating func began() { refusals?.isProbed = true }

    /// The peer has a job, or had another reason against it than being busy.
    mutating func accepted() { refusals = nil }

    /// The job that was on its way has come back without an answer.
    mutating func withdrawn() { refusals?.isProbed = false }

    /// The peer took no job. `retryAfter`: seconds that it asked to wait.
    mutating func refused(now: Double, retryAfter: Double?) {
        var next = refusals ?? Refusals(since: now, count: 0, until: now)
        // Several jobs may have been under way at the first refusal: what comes back during a pause lengthens none.
        if now >= next.until {
            next.until = now + min(Self.firstPause * Double(1 << min(next.count, 10)), Self.longestPause)
            next.count += 1
        }
        next.until = max(next.until, now + min(retryAfter ?? 0, Self.longestRetryAfter))
        next.isProbed = false
        refusals = next
    }
}
