import OmniEngine
import Testing

@testable import OmniTranscription

@Suite struct WordTimesTests {
    private func words(_ tokens: [(String, Double)], start: Double = 0, end: Double = 10, speech: [ClosedRange<Double>] = [])
        -> [TranscriptWord]
    {
        WordTimes.words(tokens.map { .init(bytes: Array($0.0.utf8), end: $0.1) }, start: start, end: end, speech: speech)
    }

    @Test func wordsBeginWithABlank() {
        let found = words([(" Hel", 0.2), ("lo", 0.5), (",", 0.6), (" world", 1.1), (".", 1.2)])
        #expect(found == [TranscriptWord(text: "Hello,", start: 0, end: 0.6), TranscriptWord(text: "world.", start: 0.6, end: 1.2)])
    }

    @Test("a word does not begin in the pause before it, and the last before a pause ends there") func pauses() {
        let found = words([(" one", 0.5), (" two", 3.4)], speech: [0.1...0.5, 3.0...3.5])
        #expect(found == [TranscriptWord(text: "one", start: 0.1, end: 0.5), TranscriptWord(text: "two", start: 3.0, end: 3.5)])
    }

    @Test func timesNeverGoBack() {
        let found = words([(" a", 0.5), (" b", 0.3), (" c", 20)])
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.end <= $1.start } && found.allSatisfy { $0.start <= $0.end && $0.end <= 10 })
    }

    @Test func scriptsWithoutBlanksHaveAWordForEachCharacter() {
        #expect(words([("日", 0.1), ("本", 0.2), ("。", 0.3)]).map(\.text) == ["日", "本。"])
    }

    @Test func aCharacterMayBeCutIntoTokens() {
        let bytes = Array(" é".utf8)
        let found = WordTimes.words(
            [.init(bytes: Array(bytes.dropLast()), end: 0.1), .init(bytes: [bytes[2]], end: 0.2)], start: 0, end: 1, speech: [])
        #expect(found.map(\.text) == ["é"])
    }

    @Test func aTextThatRepeatsItselfCompressesWell() {
        #expect(compressionRatio(of: String(repeating: "Thank you for watching. ", count: 20)) > 2.4)
        #expect(compressionRatio(of: "The quick brown fox jumps over the lazy dog near the old mill.") < 1.3)
        #expect(compressionRatio(of: "") == 1)
    }
}
