import OmniLlama

/// A model that guesses how sequences go on.
protocol Drafter: AnyObject {
    /// At most so many tokens for each; fewer, or none, where it is not sure or has not read the text yet.
    func draft(_ wanted: [(sequence: Sequence, count: Int)]) -> [[Token]]
    /// Expected seconds of drafting so many tokens for each of several sequences.
    func time(_ counts: [Int]) -> Double
    /// Whether it can guess for `sequence`, and reading its text is worth that.
    func takes(_ sequence: Sequence) -> Bool
    /// `sequence` has lost its place in the cache.
    func forget(_ sequence: Sequence)
}

/// Guesses the next tokens of sequences and decides how many of them the model shall check. Owned by the engine's thread.
final class Speculator {
    private let config: SpeculativeConfig
    private let drafter: (any Drafter)?
    /// For tests: every guess is computed, whatever it costs.
    private let always: Bool
    /// What all answers have taught.
    private var rates = AcceptanceTable()
    /// What is known of costs may be wrong: guesses that look good and are refused are tried all the same, once after a few steps, then
    /// whenever that costs a hundredth of the time that passed.
    private var tried = 0
    private var refused = 0
    /// Seconds of steps without guesses since the last trial.
    private var spent = 0.0
    private static let firstTrial = 32
    private static let trialShare = 0.01

    init(config: SpeculativeConfig, drafter: (any Drafter)? = nil, always: Bool = false) {
        self.config = config
        self.drafter = drafter
        self.always = always
    }

    var maxTokens: Int { config.maxTokens }

    /// Guesses for `sequences`, at most as many tokens as `limits` says. `time`: the expected seconds of a step in which so many tokens
    /// of each sequence are computed beside the one that is due.
    func guesses(for sequences: [Sequence], limits: [Int], time: ([Int]) -> Double) -> [[Token]] {
        var guesses = zip(sequences, limits).map { guess(for: $0, limit: $1) }
        var offers = guesses.map { DraftPlan.Offer(count: $0?.tokens.count ?? 0, rate: $0?.rate ?? 0) }
        let drafted = sequences.indices.map { offersDraft(for: sequences[$0], limit: limits[$0], instead: offers[$0].rate) }
        for index in drafted.indices where drafted[index] {
            offers[index] = DraftPlan.Offer(count: limits[index], rate: draftRate(of: sequences[index]))
        }
        guard offers.contains(where: { $0.count > 0 }) else { return sequences.map { _ in [] } }
        let counts = chosen(offers, hasDrafts: drafted.contains(true)) { counts in
            let models = zip(counts, drafted).compactMap { $1 && $0 > 0 ? $0 : Int?.none }
            return time(counts) + (models.isEmpty ? 0 : self.drafter?.time(models) ?? 0)
        }
        let wanted = counts.indices.filter { drafted[$0] && counts[$0] > 0 }
        let found = wanted.isEmpty ? [] : drafter?.draft(wanted.map { (sequences[$0], counts[$0]) }) ?? []
        for index in drafted.indices where drafted[index] { guesses[index] = nil }
        for (index, tokens) in zip(wanted, found) where !tokens.isEmpty {
            let guess = Guesses.Guess(tokens: tokens, kind: .draftModel, rate: offers[index].rate)
            sequences[index].guesses?.watch(guess, from: sequences[index].tokens.count)
            guesses[index] = guess
        }
        return zip(guesses, counts).map { guess, count in guess.map { Array($0.tokens.prefix(count)) } ?? [] }
    }

    /// `sequence` has lost its place in the cache, or is done.
    func forget(_ sequence: Sequence) { drafter?.forget(sequence) }

    /// The guess that costs nothing to make.
    private func guess(for sequence: Sequence, limit: Int) -> Guesses.Guess? {
        if sequence.guesses == nil {
            let lead = sequence.tokens[..<sequence.promptCount].suffix(config.lookup.longest)
            sequence.guesses = Guesses(
                lookup: config.lookup, prediction: sequence.group.request.prediction, lead: lead, rates: rates.lightly)
        }
        if let outcome = sequence.guesses?.advance(to: sequence.tokens) {
            rates[outcome.kind].note(right: outcome.right, missed: outcome.missed)
        }
        return sequence.guesses?.next(limit, after: sequence.tokens)
    }

    private func offersDraft(for sequence: Sequence, limit: Int, instead rate: Double) -> Bool {
        guard let drafter, limit > 0, drafter.takes(sequence) else { return false }
        return draftRate(of: sequence) > rate
    }

    private func draftRate(of sequence: Sequence) -> Double { sequence.guesses?.rates[.draftModel].rate ?? 0 }

    private func chosen(_ offers: [DraftPlan.Offer], hasDrafts: Bool, time: ([Int]) -> Double) -> [Int] {
        if always { return offers.map(\.count) }
        let counts = DraftPlan.counts(offers, time: time)
        if counts.contains(where: { $0 > 0 }) { return counts }
        // Rows for nothing could not help these; a model's guesses are known only when they are made.
        let hoped = offers.reduce(0.0) { $0 + Acceptance.expected($1.rate, of: min($1.count, 4)) }
        guard hoped >= Double(offers.count) || hasDrafts else { return counts }
        let trial = offers.map { min($0.count, 4) }
        let alone = time(counts)
        refused += 1
        spent += alone
        guard tried == 0 ? refused >= Self.firstTrial : spent * Self.trialShare >= time(trial) - alone else { return counts }
        tried += 1
        spent = 0
        return trial
    }
}
