import Foundation
import OmniAPI
import OmniEngine
import OmniLlama
import Synchronization
import Testing

@testable import OmniText

@Suite("The talker", .timeLimit(.minutes(10)))
struct TalkerTests {
    /// Speaks a recorded case, its rows handed over in pieces of `step`.
    private func speak(_ golden: TalkerFixture.Case, with talker: Talker, draws: Bool = false, step: Int = .max) async throws
        -> (codes: [Int], logits: [[Float]])
    {
        let tokens = talker.model.tokens
        var plan = SamplingPlan(SpokenAnswer(), tokens: tokens, seed: UInt64(try TalkerFixture.golden.get().seed))
        if !draws { plan.temperature = 0 }
        // The reference is not let end early either.
        plan.biases += [tokens.end, tokens.pad].map { ($0, -.infinity) }
        let feed = ThinkerFeed(promptCount: golden.prompt.count) { talker.wake() }
        let seen = Recorder()
        let codes = BoundedQueue<Token>(limit: .max)
        try talker.add(
            TalkerRequest(
                feed: feed, voice: golden.voice, plan: plan, maxCodes: golden.greedy.count, cancellation: CancellationToken(), codes: codes,
                watch: { seen.add($0) }))
        let rows = (golden.prompt + golden.replies).enumerated().map { place, values in
            ThinkerFeed.Row(values: values, place: golden.places[min(place, golden.places.count - 1)])
        }
        for start in stride(from: 0, to: rows.count, by: min(step, rows.count)) {
            for place in start..<min(start + min(step, rows.count), rows.count) { feed.add(rows[place], at: place) }
            feed.deliver()
            if step < rows.count { await Task.yield() }
        }
        feed.end()
        var all: [Int] = []
        while let code = try await codes.next() { all.append(Int(code)) }
        return (all, golden.steps.map { seen.rows[$0] })
    }

    private final class Recorder: Sendable {
        private let state = Mutex<[[Float]]>([])
        var rows: [[Float]] { state.withLock { $0 } }
        func add(_ row: [Float]) { state.withLock { $0.append(row) } }
    }

    @Test("computes what transformers computes: logits at several steps, greedy codes, and drawn ones with the same random numbers")
    func parity() async throws {
        for golden in try TalkerFixture.golden.get().cases {
            let talker = try TalkerFixture.talker(wide: golden.isWide)
            let (greedy, logits) = try await speak(golden, with: talker)
            let distance = TalkerFixture.distance(logits, golden.logits)
            #expect(distance < 1e-3, "\(golden.question): \(distance)")
            #expect(greedy == golden.greedy, "\(golden.question)")
            let drawn = try await speak(golden, with: talker, draws: true).codes
            #expect(drawn == golden.drawn, "\(golden.question)")
            await talker.stop()
        }
    }

    @Test("says the same however its rows come, and whoever speaks beside it", arguments: [1, 7, 50])
    func pieces(step: Int) async throws {
        let talker = try TalkerFixture.talker()
        let cases = try TalkerFixture.golden.get().cases.filter { !$0.isWide }
        let codes = try await withThrowingTaskGroup(of: (Int, [Int]).self) { group in
            for (place, golden) in (cases + cases).enumerated() {
                group.addTask { (place, try await speak(golden, with: talker, step: step).codes) }
            }
            return try await group.reduce(into: [Int: [Int]]()) { $0[$1.0] = $1.1 }
        }
        for (place, golden) in (cases + cases).enumerated() { #expect(codes[place] == golden.greedy) }
        #expect(talker.statistics.running == 0 && talker.statistics.waiting == 0)
        await talker.stop()
    }

    @Test("an answer without words has no codes, and one that is given up ends with its feed open")
    func ends() async throws {
        let talker = try TalkerFixture.talker(sequences: 1)
        let golden = try TalkerFixture.golden.get().cases[0]
        func start(_ token: CancellationToken) throws -> (ThinkerFeed, BoundedQueue<Token>) {
            let feed = ThinkerFeed(promptCount: golden.prompt.count) { talker.wake() }
            let codes = BoundedQueue<Token>(limit: .max)
            try talker.add(
                TalkerRequest(
                    feed: feed, voice: golden.voice, plan: SamplingPlan(SpokenAnswer(), tokens: talker.model.tokens), maxCodes: 8,
                    cancellation: token, codes: codes))
            for (place, row) in golden.prompt.enumerated() {
                feed.add(ThinkerFeed.Row(values: row, place: golden.places[place]), at: place)
            }
            feed.deliver()
            return (feed, codes)
        }
        let token = CancellationToken()
        let (_, abandoned) = try start(token)
        let (silent, none) = try start(CancellationToken())
        silent.end()
        token.cancel()
        await #expect(throws: CancellationError.self) { _ = try await abandoned.next() }
        // Its place went to the one that waited.
        #expect(try await none.next() == nil)
        await talker.stop()
        #expect(throws: APIError.self) { _ = try start(CancellationToken()) }
    }

    @Test("rows are taken in order, and one that comes again is dropped")
    func feed() {
        let feed = ThinkerFeed(promptCount: 2)
        func row(_ value: Float) -> ThinkerFeed.Row { ThinkerFeed.Row(values: [value], place: RotaryPlace(0)) }
        for (value, place) in [(0, 0), (1, 1), (9, 0), (9, 1), (2, 2), (9, 5), (3, 3)] as [(Float, Int)] { feed.add(row(value), at: place) }
        #expect(feed.take(most: 9) == [row(0), row(1)] && feed.take(most: 1) == [row(2)] && !feed.isEmptied)
        feed.end()
        feed.add(row(4), at: 4)
        #expect(!feed.isEmptied && feed.take(most: 9) == [row(3)] && feed.isEmptied && !feed.hasRows)
    }
}
