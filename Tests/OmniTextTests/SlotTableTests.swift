import OmniAPI
import OmniEngine
import OmniLlama
import Testing

@testable import OmniText

@Suite("Places in the cache")
struct SlotTableTests {
    private func table(_ held: [[Token]], keepsTogether: Bool = false) -> SlotTable {
        var table = SlotTable(count: held.count, keepsTogether: keepsTogether)
        for (slot, tokens) in held.enumerated() where !tokens.isEmpty { table.release(slot, keeping: Prompt(tokens)) }
        return table
    }

    private func placement(_ table: SlotTable, _ tokens: [Token], cutsAnywhere: Bool = true) -> SlotTable.Placement {
        table.placement(for: Prompt(tokens), limit: tokens.count - 1, cutsAnywhere: cutsAnywhere)
    }

    @Test("a conversation goes on in the place of its last turn")
    func goesOn() {
        let table = table([[], Array(1...100)])
        #expect(placement(table, Array(1...120)) == .continued(slot: 1, reuse: 100))
    }

    @Test("the same prompt again computes only its last token")
    func again() {
        #expect(placement(table([Array(1...50)]), Array(1...50)) == .continued(slot: 0, reuse: 49))
    }

    @Test("a long conversation is kept when another only shares its beginning")
    func shares() {
        let table = table([Array(1...200), []])
        #expect(placement(table, Array(1...50) + Array(900...950)) == .shared(slot: 1, source: 0, reuse: 50))
    }

    @Test("with no free place the oldest answer gives way, not the one that helps")
    func evicts() {
        let table = table([Array(500...600), Array(1...200), Array(700...800)])
        #expect(placement(table, Array(1...50) + [9, 9]) == .shared(slot: 0, source: 1, reuse: 50))
    }

    @Test("a place that gives way and begins alike is taken as it is, without a copy")
    func noCopy() {
        let alike = [Array(1...50) + Array(100...200), Array(1...50) + Array(300...400)] as [[Token]]
        #expect(placement(table(alike), Array(1...50) + [9, 9]) == .continued(slot: 1, reuse: 50))
        let almost = [Array(1...50) + Array(100...200), Array(1...45) + Array(300...400)] as [[Token]]
        #expect(placement(table(almost), Array(1...50) + [9, 9]) == .shared(slot: 1, source: 0, reuse: 50))
        #expect(placement(table(almost, keepsTogether: true), Array(1...50) + [9, 9]) == .continued(slot: 0, reuse: 50))
        #expect(placement(table(almost.reversed(), keepsTogether: true), Array(1...50) + [9, 9]) == .continued(slot: 0, reuse: 45))
        let other = [Array(1...50) + Array(100...200), Array(300...400)] as [[Token]]
        #expect(placement(table(other, keepsTogether: true), Array(1...50) + [9, 9]) == .shared(slot: 1, source: 0, reuse: 50))
    }

    @Test("a recurrent state is taken whole or not at all")
    func recurrent() {
        let table = table([Array(1...100), []])
        #expect(placement(table, Array(1...50) + [7, 7], cutsAnywhere: false) == .continued(slot: 1, reuse: 0))
        #expect(placement(table, Array(1...150), cutsAnywhere: false) == .continued(slot: 0, reuse: 100))
    }

    @Test("the steps learn how many prompt tokens keep them short")
    func pace() {
        var pace = Pace()
        for _ in 0..<50 {
            pace.record(seconds: 0.01, decoded: 4, prompt: 0)
            pace.record(seconds: 0.01 + 0.001 * 32, decoded: 4, prompt: 32)
        }
        #expect((30...40).contains(pace.chunk(for: 1, beside: 4)))
        #expect((200...230).contains(pace.chunk(for: 4, beside: 4)))
        #expect(pace.chunk(for: 9, beside: 4) == pace.chunk(for: 8, beside: 4))
        // Where decoding takes long by itself, prompts may take twice as long.
        for _ in 0..<50 { pace.record(seconds: 0.1, decoded: 8, prompt: 0) }
        #expect((190...210).contains(pace.chunk(for: 1, beside: 8)) && pace.chunk(for: 1, beside: 8) == pace.chunk(for: 1, beside: 9))
        #expect((30...40).contains(pace.chunk(for: 1, beside: 4)))
    }

    private func sequence() -> Sequence {
        let (_, events) = GenerationRequest.Events.makeStream()
        let plan = SamplingPlan()
        let request = GenerationRequest(prompts: [Prompt([1])], plan: plan, maxTokens: 1, scope: RequestScope(id: "test"), events: events)
        return Sequence(
            group: RequestGroup(request), index: 0, prompt: Prompt([1]), sampler: TokenSampler(plan: plan, prompt: [1], endTokens: [], choice: 0), grammar: nil)
    }

    @Test("where neighbours are computed together, a newcomer comes beside those who run, and a gap is told")
    func neighbours() {
        var table = SlotTable(count: 6, keepsTogether: true)
        #expect(table.gap == nil)
        table.occupy(2, by: sequence())
        #expect(placement(table, [7, 8]) == .continued(slot: 1, reuse: 0))
        table.occupy(4, by: sequence())
        #expect(table.gap?.empty == 3)
        #expect(table.gap?.last == 4)
        #expect(placement(table, [7, 8]) == .continued(slot: 3, reuse: 0))
        table.move(4, to: 3)
        #expect(table.gap == nil)
        #expect(table.slots[4].isEmpty)
    }
}
