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

    @Test("a place that was idle for long is told, and one that runs or was just used is not")
    func expires() throws {
        var table = table([Array(1...10), [], Array(20...30), Array(40...50)])
        let lifetime = Duration.seconds(60)
        let next = try #require(table.nextExpiry(of: lifetime))
        #expect(table.expired(lifetime, now: next - .seconds(1)).isEmpty)
        #expect(table.expired(lifetime, now: next + .seconds(1)) == [0, 2, 3])
        table.release(0, keeping: nil)
        let before = ContinuousClock.now
        table.touch(2)
        let touched = try #require(table.slots[2].idleSince)
        #expect(touched >= before)
        #expect(
            table.expired(lifetime, now: touched + lifetime).contains(2) && !table.expired(lifetime, now: touched + lifetime).contains(0))
        for slot in 2...3 { table.release(slot, keeping: nil) }
        #expect(table.nextExpiry(of: lifetime) == nil)
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

    private func sequence() -> Sequence {
        let (_, events) = GenerationRequest.Events.makeStream()
        let plan = SamplingPlan()
        let request = GenerationRequest(prompts: [Prompt([1])], plan: plan, maxTokens: 1, scope: RequestScope(id: "test"), events: events)
        return Sequence(
            group: RequestGroup(request), index: 0, prompt: Prompt([1]),
            sampler: TokenSampler(plan: plan, prompt: [1], endTokens: [], choice: 0), grammar: nil)
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
