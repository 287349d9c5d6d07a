import Testing

@testable import OmniSpeech

@Suite("Joining units")
struct UnitJoinerTests {
    @Test("a unit that comes in pieces sounds as it does whole, however it is cut", arguments: [1, 7, 96, 191, 192, 193, 1000, 5000])
    func pieces(size: Int) {
        let units = [50, 191, 192, 200, 0, 3000].map { [Float](repeating: 0.5, count: $0) }
        func joined(_ size: Int) -> [Float] {
            var joiner = UnitJoiner(sampleRate: 24_000, pauses: SpeechOptions.Pauses())
            return units.flatMap { unit in
                stride(from: 0, to: unit.count, by: size).flatMap { joiner.append(Array(unit[$0..<min($0 + size, unit.count)])) }
                    + joiner.end(SpeechText.Unit(text: "A sentence."))
            }
        }
        let whole = joined(.max / 2), cut = joined(size)
        #expect(cut == whole)
        // Four pauses of a fifth of a second between the five that sound, each of which fades from and to nothing.
        #expect(whole.count == 50 + 191 + 192 + 200 + 3000 + 4 * 4800)
        #expect(
            whole[0] < 0.001 && whole[49] < 0.001 && whole[50..<4850].allSatisfy { $0 == 0 }
                && whole.suffix(1500)[whole.count - 1500] == 0.5)
    }
}
