/// How many prompt tokens ride along with a decode step: so many that the prompt is done within twice the time that it would take
/// alone, and so few that the others' tokens keep coming. A machine, a model and a context length decide it together, so the costs
/// are learned from the steps.
struct PrefillBudget: Sendable {
    /// A step of this length nobody notices, seconds.
    static let comfortable = 0.045
    /// No step should take longer while others decode, seconds; or so many times what their tokens take by themselves.
    static let longest = 0.25
    static let longestShare = 2.0
    /// Graphs with more rows than this give the lane to others between their layers.
    static let slicedRows = 16
    private static let fewest = 8

    private(set) var cost = StepCost()

    /// Tokens of prompts that a step may have.
    struct Piece: Equatable, Sendable {
        var tokens: Int
        /// As many where that takes a prompt whole.
        var most: Int
    }

    /// The next piece while `prompts` wait for theirs. `passes` says how so many prompt tokens would pass the model beside those who
    /// decode, `alone` how without them; `capacity` is the most that a batch takes.
    func piece(for prompts: Int, capacity: Int, passes: (Int) -> [BatchPass], alone: (Int) -> [BatchPass]) -> Piece {
        // Nothing is known of many more rows than were seen. But where attention of few rows takes the time, the way out is beyond them.
        let known = min(max(2 * cost.mostRows, 2 * Self.fewest), capacity)
        let most = cost.isSlowedByAttentionOfFew(passes(known)) ? min(max(known, BatchSetup.fewRows + 9), capacity) : known
        let choices = Self.choices.filter { $0 < most } + [most]
        func time(_ tokens: Int) -> Double { cost.time(of: passes(tokens)) }
        let best = choices.map { cost.time(of: alone($0)) / Double($0) }.min() ?? 0
        let limit = max(Self.longest, cost.time(of: passes(0)) * Self.longestShare)
        // Several that wait are together delayed by no more than one of them takes alone.
        let slowdown = 1 + 1 / Double(max(prompts, 1))
        func excess(_ tokens: Int) -> Double { max(time(tokens) / limit, time(tokens) / Double(tokens) / (best * slowdown)) }

        let comfortable = choices.last { time($0) <= Self.comfortable && excess($0) <= 1 }
        // Where both cannot be had, the one that is missed by more is missed by as little as can be.
        let tokens = comfortable ?? choices.first { excess($0) <= 1 } ?? choices.min { excess($0) < excess($1) } ?? most
        let whole = choices.last { $0 <= tokens * 3 / 2 && time($0) <= limit } ?? tokens
        return Piece(tokens: tokens, most: max(tokens, whole))
    }

    mutating func record(_ seconds: Double, passes: [BatchPass]) { cost.record(seconds, passes: passes) }

    private static let choices =
        Array(stride(from: fewest, to: 128, by: 8)) + Array(stride(from: 128, to: 512, by: 32))
        + Array(stride(from: 512, through: 8192, by: 256))
}
