import OmniAPI
import OmniLlama
import Testing

@testable import OmniText

@Suite("Guesses at the next tokens")
struct GuessTests {
    private func index(_ tokens: [Token], shortest: Int = 2, longest: Int = 8) -> NgramIndex {
        var index = NgramIndex(shortest: shortest, longest: longest)
        index.append(contentsOf: tokens)
        return index
    }

    @Test("what followed the same tokens before is found, the longest run first and the newest of equals")
    func matches() {
        let text: [Token] = [1, 2, 3, 9, 4, 2, 3, 8, 1, 2, 3]
        #expect(index(text).match(endOf: text) == .init(place: 3, length: 3))
        let even: [Token] = [5, 2, 3, 9, 4, 2, 3, 8, 6, 2, 3]
        #expect(index(even).match(endOf: even) == .init(place: 7, length: 2))
        #expect(index(even).continuation(at: 7, count: 3, repeats: true) == [8, 6, 2])
        #expect(index([1, 2, 3]).match(endOf: [1, 2, 3]) == nil, "the end is no match for itself")
        #expect(index([]).match(endOf: [1]) == nil && index(text).match(endOf: [3]) == nil, "one token says nothing")
    }

    @Test("a text that runs in a circle is guessed on and on, and nothing is guessed of a picture")
    func circles() {
        let text: [Token] = [7, 1, 2, 1, 2, 1, 2]
        let index = index(text)
        let match = index.match(endOf: text)
        #expect(match?.place == 5)
        #expect(index.continuation(at: 5, count: 5, repeats: true) == [1, 2, 1, 2, 1])
        #expect(index.continuation(at: 5, count: 5, repeats: false) == [1, 2])
        #expect(self.index([1, 2, 3, -5, -6, 4]).continuation(at: 2, count: 4, repeats: true) == [3])
    }

    @Test("every search finds what comparing with all that came before finds")
    func bruteForce() throws {
        var random = SplitMix(seed: 3)
        var text: [Token] = []
        var index = NgramIndex(shortest: 3, longest: 6)
        var found = 0
        for _ in 0..<400 {
            let token = Token(random.next() % 3)
            text.append(token)
            index.append(token)
            // Few enough places that none is beyond those that a search looks at.
            if text.count % 60 == 0 { (text, index) = ([], NgramIndex(shortest: 3, longest: 6)) }
            let runs = (0..<max(text.count, 1)).map { place in
                zip(text[..<min(place, text.count)].reversed(), text.reversed()).prefix(6).prefix { $0 == $1 }.count
            }
            let longest = runs.max() ?? 0
            let match = index.match(endOf: text)
            guard longest >= 3 else { #expect(match == nil); continue }
            found += 1
            let best = try #require(match)
            #expect(runs[best.place] == best.length && best.length >= min(longest, 3))
            #expect(best.length == longest || runs.filter { $0 >= 3 }.count > 16)
        }
        #expect(found > 50)
    }

    @Test("rates follow what comes true, and forget")
    func acceptance() {
        var rate = Acceptance(rate: 0.5)
        for _ in 0..<20 { rate.note(right: 4, missed: false) }
        #expect(rate.rate > 0.95)
        for _ in 0..<20 { rate.note(right: 0, missed: true) }
        #expect(rate.rate < 0.2)
        #expect(Acceptance.expected(0, of: 4) == 0 && Acceptance.expected(1, of: 4) == 4)
        #expect(abs(Acceptance.expected(0.5, of: 2) - 0.75) < 1e-9)
    }

    @Test("a guess teaches whether it is computed or not")
    func learns() {
        let lookup = (shortest: 2, longest: 8)
        var guesses = Guesses(lookup: lookup, prediction: [], lead: [], rates: AcceptanceTable())
        var text: [Token] = [1, 2, 3, 4, 5, 1, 2]
        #expect(guesses.advance(to: text) == nil)
        let before = guesses.rates[.shortRun].rate
        #expect(guesses.next(4, after: text)?.tokens == [3, 4, 5, 1])
        text += [9]
        let outcome = guesses.advance(to: text)
        #expect(outcome?.kind == .shortRun && outcome?.right == 0 && outcome?.missed == true)
        #expect(guesses.rates[.shortRun].rate < before)
        text += [3, 4]
        _ = guesses.advance(to: text)
        #expect(guesses.next(2, after: text)?.tokens == [5, 1])
        text += [5, 1, 2]
        #expect(guesses.advance(to: text)?.right == 2)
    }

    @Test("a text that the client expects is guessed from its beginning on")
    func prediction() {
        var guesses = Guesses(lookup: (3, 16), prediction: [21, 22, 23, 24], lead: [8, 9, 10], rates: AcceptanceTable())
        let text: [Token] = [1, 2, 8, 9, 10]
        _ = guesses.advance(to: text)
        let guess = guesses.next(8, after: text)
        #expect(guess?.tokens == [21, 22, 23, 24] && guess?.kind == .prediction)
        _ = guesses.advance(to: text + [21, 22])
        #expect(guesses.next(1, after: text + [21, 22])?.tokens == [23])
    }

    // MARK: How many are computed

    /// Seconds of a step: a part that any step takes, and one for each row.
    private func time(base: Double, row: Double) -> ([Int]) -> Double { { counts in base + row * Double(counts.reduce(counts.count, +)) } }

    @Test("where rows cost next to nothing a sure guess is taken whole, where they cost as much as steps none is")
    func plan() {
        let sure = [DraftPlan.Offer(count: 8, rate: 0.95)]
        #expect(DraftPlan.counts(sure, time: time(base: 1, row: 0.01)) == [8])
        #expect(DraftPlan.counts(sure, time: time(base: 0, row: 1)) == [0])
        #expect(DraftPlan.counts([.init(count: 8, rate: 0.1)], time: time(base: 1, row: 0.15)) == [0])
        let some = DraftPlan.counts([.init(count: 8, rate: 0.7)], time: time(base: 1, row: 0.2))[0]
        #expect((1...4).contains(some), "doubtful guesses are taken in part")
        #expect(DraftPlan.counts([], time: { _ in 1 }).isEmpty && DraftPlan.counts([.init(count: 0, rate: 0)], time: { _ in 1 }) == [0])
    }

    @Test("nobody is slowed down for the sake of another")
    func fair() {
        let offers = [DraftPlan.Offer(count: 8, rate: 0.99), .init(count: 0, rate: 0)]
        #expect(DraftPlan.counts(offers, time: time(base: 1, row: 0.1)) == [0, 0])
        #expect(DraftPlan.counts(offers, time: time(base: 1, row: 0.001)) == [8, 0])
    }

    @Test("where a few rows cost as much as many, short drafts are known for what they cost, and long ones are taken", arguments: [2, 3])
    func tiles(first: Int) {
        // Seconds of a pass: one row is cheap, or two; from then on a tile is computed, however full.
        func seconds(_ rows: Int) -> Double { rows < first ? 0.022 : 0.1 + 0.0002 * Double(rows) }
        var cost = StepCost()
        func step(_ rows: Int) { cost.record(seconds(rows), passes: [BatchPass(rows: rows, cells: 100)]) }
        for rows in [1, 1, 64, 1, 9, 1, 5, 1, 3, 1, 2, 1, 17, 1, 33] { step(rows) }
        for _ in 0..<50 { step(1) }
        func time(_ counts: [Int]) -> Double { cost.time(of: [BatchPass(rows: counts.count + counts.reduce(0, +), cells: 100)]) }
        #expect(DraftPlan.counts([.init(count: 4, rate: 0.95)], time: time) == [0], "four more tokens are not worth a tile")
        #expect(DraftPlan.counts([.init(count: 32, rate: 0.95)], time: time)[0] > 12)
    }

    // MARK: The flag

    @Test("the flag is vLLM's; what is not known, or contradicts itself, is named")
    func flag() throws {
        let ngram = try SpeculativeConfig(
            flag: #"{"method":"ngram","prompt_lookup_max":5,"prompt_lookup_min":2,"num_speculative_tokens":4}"#)
        #expect(ngram.method == .ngram && ngram.maxTokens == 4 && ngram.lookup == (2, 5) && ngram.isOn)
        let draft = try SpeculativeConfig(flag: #"{"model":"small.gguf","num_speculative_tokens":8}"#)
        #expect(draft.model == "small.gguf" && draft.isOn && draft.lookup == SpeculativeConfig().lookup)
        #expect(try !SpeculativeConfig(flag: #"{"method":"none"}"#).isOn && SpeculativeConfig().isOn)
        for (text, name) in [
            (#"{"method":"ngram","speculative_token_tree":"x"}"#, "speculative_token_tree"), (#"{"method":"eagle"}"#, "method"),
            (#"{"method":"draft_model"}"#, "model"), (#"{"method":"ngram","model":"a.gguf"}"#, "model"),
            (#"{"num_speculative_tokens":0}"#, "num_speculative_tokens"), (#"{"num_speculative_tokens":33}"#, "num_speculative_tokens"),
            (#"{"prompt_lookup_min":5,"prompt_lookup_max":2}"#, "prompt_lookup_min"), (#"[1]"#, "speculative-config"),
        ] {
            let error = #expect(throws: APIError.self) { _ = try SpeculativeConfig(flag: text) }
            #expect(error?.message.contains(name) == true, "\(text): \(error?.message ?? "no error")")
        }
        #expect(throws: (any Error).self) { _ = try SpeculativeConfig(flag: "{") }
    }
}
