import OmniLlama

/// What may be guessed of one sequence's next tokens, and how its guesses have turned out. A guess teaches whether it was computed or
/// not: it only has to be compared with what the model then said.
struct Guesses {
    struct Guess {
        var tokens: [Token]
        var kind: GuessKind
        var rate: Double
    }

    private var index: NgramIndex
    private var prediction: NgramIndex?
    private(set) var rates: AcceptanceTable
    /// A guess that is being compared, and how many tokens there were before it.
    private var open: (guess: Guess, start: Int)?
    /// Tokens of a guess that are compared.
    private static let compared = 8

    /// `prediction`: tokens that the client expects; `lead`: those that the answer begins after.
    init(lookup: (shortest: Int, longest: Int), prediction: [Token], lead: ArraySlice<Token>, rates: AcceptanceTable) {
        index = NgramIndex(shortest: lookup.shortest, longest: lookup.longest)
        if !prediction.isEmpty {
            var expected = NgramIndex(shortest: lookup.shortest, longest: max(lookup.longest, 16))
            expected.append(contentsOf: lead + prediction)
            self.prediction = expected
        }
        self.rates = rates
    }

    /// Takes in what came since the last call. Returns how a guess turned out, where one did.
    mutating func advance(to tokens: [Token]) -> (kind: GuessKind, right: Int, missed: Bool)? {
        index.append(contentsOf: tokens[min(index.tokens.count, tokens.count)...])
        guard let (guess, start) = open else { return nil }
        let right = zip(guess.tokens, tokens[start...]).prefix { $0 == $1 }.count
        let missed = right < min(guess.tokens.count, tokens.count - start)
        guard missed || right == guess.tokens.count else { return nil }
        open = nil
        rates[guess.kind].note(right: right, missed: missed)
        return (guess.kind, right, missed)
    }

    /// The best guess at the next tokens, at most `count`; nil where nothing alike came before. `tokens` are those of the last
    /// ``advance(to:)``.
    mutating func next(_ count: Int, after tokens: [Token]) -> Guess? {
        guard count > 0 else { return nil }
        var guess: Guess?
        if let prediction, let match = prediction.match(endOf: tokens) {
            let found = prediction.continuation(at: match.place, count: count, repeats: false)
            if !found.isEmpty { guess = Guess(tokens: found, kind: .prediction, rate: rates[.prediction].rate) }
        }
        if let match = index.match(endOf: tokens) {
            let kind = GuessKind(run: match.length)
            if rates[kind].rate > guess?.rate ?? 0 {
                let found = index.continuation(at: match.place, count: count, repeats: true)
                if !found.isEmpty { guess = Guess(tokens: found, kind: kind, rate: rates[kind].rate) }
            }
        }
        if let guess { watch(guess, from: tokens.count) }
        return guess
    }

    /// Compares `guess` with what comes after the first `start` tokens, unless another is being compared.
    mutating func watch(_ guess: Guess, from start: Int) {
        guard open == nil else { return }
        open = (Guess(tokens: Array(guess.tokens.prefix(Self.compared)), kind: guess.kind, rate: guess.rate), start)
    }
}
