/// So many a minute, as a bucket that holds a minute's worth, begins full and is filled evenly. Taking may leave it in debt.
struct TokenBucket: Sendable, Equatable {
    /// What it holds when full, and gains in a minute; 1 and more.
    let perMinute: Double
    /// What it holds; below zero while it is in debt.
    private(set) var level: Double
    private var updated: Duration

    init(perMinute: Int, at now: Duration) {
        self.perMinute = Double(perMinute)
        level = self.perMinute
        updated = now
    }

    /// The same bucket with another limit: what has been taken stays taken.
    func changed(toPerMinute limit: Int, at now: Duration) -> TokenBucket {
        var old = self
        old.refill(to: now)
        var new = TokenBucket(perMinute: limit, at: now)
        new.level = min(new.level, new.level - (old.perMinute - old.level))
        return new
    }

    /// Adds what has come since the last call. `now` that lies before it adds nothing.
    mutating func refill(to now: Duration) {
        guard now > updated else { return }
        level = min(perMinute, level + (now - updated) / .seconds(60) * perMinute)
        updated = now
    }

    mutating func take(_ amount: Double) { level -= amount }

    /// Until it holds that much, as of the last ``refill(to:)``; zero when it does.
    func wait(for wanted: Double) -> Duration { level >= wanted ? .zero : .seconds((wanted - level) / perMinute * 60) }
}
