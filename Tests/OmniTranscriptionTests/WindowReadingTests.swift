import Testing

@testable import OmniTranscription

@Suite struct WindowReadingTests {
    private func window(_ ends: [(Int, Int)]) -> WhisperModel.Window {
        .init(
            segments: ends.map { .init(start: $0.0, end: $0.1, text: " a", tokens: [], noSpeechProbability: 0) }, language: "en",
            temperature: 0)
    }

    private func piece(seconds: Int, isOpen: Bool = false) -> SoundPiece {
        let count = seconds * 16_000
        var piece = SoundPiece(
            spans: [.init(source: 1_000_000..<1_000_000 + count, place: 0)], samples: [Float](repeating: 0, count: count),
            speech: [0..<count])
        piece.isOpen = isOpen
        return piece
    }

    @Test func aWholePieceIsThroughAtOnce() {
        let reading = WindowReading(window([(0, 500), (500, 980)]), in: piece(seconds: 10), from: 0)
        #expect(reading.kept.count == 2 && reading.next == nil && reading.resumption == nil)
    }

    @Test func speechThatIsLeftIsHeardAgain() {
        let reading = WindowReading(window([(0, 400)]), in: piece(seconds: 10), from: 0)
        #expect(reading.next == 400)
        #expect(WindowReading(window([(400, 450)]), in: piece(seconds: 10), from: 400).next == nil, "but not for ever")
        #expect(WindowReading(window([]), in: piece(seconds: 10), from: 0).next == nil)
    }

    @Test func theLastSentenceOfAnOpenPieceIsLeftToTheNext() {
        let reading = WindowReading(window([(0, 2000), (2000, 3000)]), in: piece(seconds: 30, isOpen: true), from: 0)
        #expect(reading.kept.count == 1 && reading.resumption == 1_000_000 + 2000 * 160)
    }

    @Test("an open piece always goes on", arguments: [[(0, 3000)], [(0, 200), (200, 3000)], [], [(0, 100)]]) func goesOn(ends: [(Int, Int)])
        throws
    {
        let reading = WindowReading(window(ends), in: piece(seconds: 30, isOpen: true), from: 0)
        #expect(try #require(reading.resumption) >= 1_000_000 + 1000 * 160 && reading.kept.count == ends.count)
    }
}
