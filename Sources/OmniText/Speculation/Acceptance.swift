/// How often guesses of one kind came true, the recent ones counting most.
struct Acceptance: Sendable, Equatable {
    private var hits: Double
    private var misses: Double
    /// What is left of old guesses after a new one.
    private static let memory = 0.85
    /// Tokens that count at most, as many as a few guesses have: a text may change its ways.
    private static let heaviest = 24.0

    /// Begins as if `weight` tokens had been guessed, `rate` of them right.
    init(rate: Double, weight: Double = 4) {
        hits = rate * weight
        misses = (1 - rate) * weight
    }

    /// The chance that a token is right whose forerunners were, 0 to 1.
    var rate: Double { hits / (hits + misses) }

    /// A guess of which the first `right` tokens came true; `missed`: the one after them did not.
    mutating func note(right: Int, missed: Bool) {
        guard right > 0 || missed else { return }
        hits = hits * Self.memory + Double(right)
        misses = misses * Self.memory + (missed ? 1 : 0.02)
        let weight = hits + misses
        if weight > Self.heaviest { (hits, misses) = (hits * Self.heaviest / weight, misses * Self.heaviest / weight) }
    }

    /// How many of `count` guessed tokens are expected to be right.
    static func expected(_ rate: Double, of count: Int) -> Double {
        rate >= 1 ? Double(count) : rate * (1 - pow(rate, count)) / (1 - rate)
    }

    private static func pow(_ base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1.0) { power, _ in power * base } }
}

/// Where a guess comes from: sources are trusted by how their guesses turned out.
enum GuessKind: Int, CaseIterable, Sendable {
    /// After a run of as many tokens as are looked for, or a few more.
    case shortRun
    /// After at least five, or nine, equal tokens.
    case longerRun, longRun
    /// In the text that the client expects.
    case prediction
    case draftModel

    init(run length: Int) { self = length >= 9 ? .longRun : length >= 5 ? .longerRun : .shortRun }

    /// How far it is trusted before anything is known.
    var firstRate: Double {
        switch self {
        case .shortRun: 0.4
        case .longerRun: 0.6
        case .longRun, .prediction: 0.8
        case .draftModel: 0.6
        }
    }
}

/// The rates of all kinds.
struct AcceptanceTable: Sendable, Equatable {
    private var rates = GuessKind.allCases.map { Acceptance(rate: $0.firstRate) }

    subscript(_ kind: GuessKind) -> Acceptance {
        get { rates[kind.rawValue] }
        set { rates[kind.rawValue] = newValue }
    }

    /// What a new answer begins with: what others taught, lightly held.
    var lightly: AcceptanceTable {
        var table = self
        table.rates = rates.map { Acceptance(rate: $0.rate) }
        return table
    }
}
