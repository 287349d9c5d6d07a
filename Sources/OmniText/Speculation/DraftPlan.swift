/// How many tokens of each sequence's guess are worth computing in a step: those that bring the most tokens in the time that the step
/// is expected to take, and slow nobody down.
enum DraftPlan {
    struct Offer: Equatable {
        /// Most tokens that there are or may be guessed.
        var count: Int
        /// The chance that a token is right whose forerunners were.
        var rate: Double
    }

    /// What is expected must be better by this, since costs are learned from steps that vary.
    static let worthwhile = 1.1
    /// The share of its own speed that each sequence keeps at least, also one without a guess.
    static let fairness = 0.95

    /// Tokens for each offer. `time`: the expected seconds of a step in which so many tokens of each are computed beside the one that
    /// is due.
    static func counts(_ offers: [Offer], time: ([Int]) -> Double) -> [Int] {
        let none = offers.map { _ in 0 }
        let longest = offers.lazy.map(\.count).max() ?? 0
        guard longest > 0 else { return none }
        let alone = time(none)
        var best = (speed: Double(offers.count) / alone * worthwhile, counts: none)
        for most in 1...longest {
            let counts = offers.map { min($0.count, most) }
            let seconds = time(counts)
            let gains = zip(offers, counts).map { Acceptance.expected($0.rate, of: $1) }
            let isFair = gains.allSatisfy { (1 + $0) * alone >= seconds * fairness }
            let speed = gains.reduce(Double(offers.count), +) / seconds
            if isFair, speed > best.speed { best = (speed, counts) }
        }
        return best.counts
    }
}
