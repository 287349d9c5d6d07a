import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("Places in the cache")
struct SlotTableTests {
    private func table(_ held: [[Token]]) -> SlotTable {
        var table = SlotTable(count: held.count)
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
        #expect((30...40).contains(pace.chunk))
    }
}
