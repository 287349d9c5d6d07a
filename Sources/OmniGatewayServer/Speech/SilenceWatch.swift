/// How long a session may be silent: what it is waited for tells the limit.
struct SilenceWatch: Sendable {
    struct Limits: Sendable {
        /// Until the first message.
        var configuration = Duration.seconds(10)
        /// Between messages, while there is nothing to speak.
        var idle = Duration.seconds(30)
        /// While something is spoken, without a piece of it made and taken.
        var stall = Duration.seconds(300)
    }

    enum Wait: Sendable, Equatable { case configuration, message, progress }

    private let limits: Limits
    private var isWorking = false
    private var isConfigured = false
    private var last: ContinuousClock.Instant

    init(_ limits: Limits = Limits(), now: ContinuousClock.Instant) {
        self.limits = limits
        last = now
    }

    /// A message has come and is being obeyed.
    mutating func began(at now: ContinuousClock.Instant) { (isWorking, last) = (true, now) }

    /// It is done with.
    mutating func ended(at now: ContinuousClock.Instant, isConfigured: Bool) {
        (isWorking, last, self.isConfigured) = (false, now, isConfigured)
    }

    /// The client has taken something.
    mutating func progressed(at now: ContinuousClock.Instant) { last = now }

    /// What the session waits for, and when it has waited too long.
    var deadline: (wait: Wait, at: ContinuousClock.Instant) {
        if isWorking { return (.progress, last + limits.stall) }
        return isConfigured ? (.message, last + limits.idle) : (.configuration, last + limits.configuration)
    }
}
