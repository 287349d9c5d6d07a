/// Whose turn it is among sequences of different adapters, of which a batch holds those of one. A pure value.
///
/// All adapters get turns of the same length, so a sequence gets on as fast as those of other adapters, however many these are.
struct AdapterTurns {
    /// Changing adapters costs libllama a plan of its graphs, which takes some milliseconds.
    static let length = Duration.milliseconds(100)

    private var current: AdapterFile?
    private var began: ContinuousClock.Instant?
    /// When the last turn of each ended that runs.
    private var ends: [AdapterFile?: ContinuousClock.Instant] = [:]

    /// The adapter of the next step; nil stands for the model alone. `running`: those of the sequences that run, oldest first.
    mutating func next(among running: [AdapterFile?], now: ContinuousClock.Instant) -> AdapterFile? {
        let others = running.filter { $0 != current }
        let isOver = began.map { now - $0 >= Self.length } ?? true
        if running.isEmpty || others.isEmpty || (others.count < running.count && !isOver) { return current }
        ends = ends.filter { running.contains($0.key) }
        ends[current] = now
        // Who never had a turn goes first, then who waits the longest.
        func rank(_ adapter: AdapterFile?) -> (Int, ContinuousClock.Instant) { (ends[adapter] == nil ? 0 : 1, ends[adapter, default: now]) }
        if let next = others.min(by: { rank($0) < rank($1) }) { (current, began) = (next, now) }
        return current
    }
}
