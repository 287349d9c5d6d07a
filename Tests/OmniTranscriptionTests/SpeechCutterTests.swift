import Testing

@testable import OmniTranscription

/// Sound whose samples tell where they come from, with stretches of speech in it.
private struct Recording {
    let runs: [Range<Int>]
    let length: Int

    /// Pieces of a cutter that is fed in chunks of `chunk` frames; open ones are understood up to `share` of their length.
    func pieces(_ settings: SpeechCutter.Settings = SpeechCutter.Settings(), chunk: Int = 31, understood share: Double = 1, held: inout Int)
        -> [SoundPiece]
    {
        var cutter = SpeechCutter(settings)
        var pieces: [SoundPiece] = []
        func take() {
            while let piece = cutter.next() {
                pieces.append(piece)
                if piece.isOpen { cutter.resume(at: piece.start + Int(Double(piece.count) * share)) }
            }
        }
        var place = 0
        while place < length {
            let end = min(place + chunk * settings.frame, length)
            let starts = stride(from: place, to: end, by: settings.frame)
            cutter.add(
                (place..<end).map { Float($0) },
                probabilities: starts.map { start in runs.contains { $0.contains(start + settings.frame / 2) } ? 0.9 : 0.05 })
            place = end
            take()
            held = max(held, cutter.held)
        }
        cutter.finish()
        take()
        return pieces
    }
}

@Suite struct SpeechCutterTests {
    private static let second = 16_000

    /// Speech of `speech` seconds with pauses of `pause` seconds between.
    private static func talk(_ count: Int, speech: Double, pause: Double, from start: Double = 0.5) -> Recording {
        let runs = (0..<count).map { index -> Range<Int> in
            let begin = Int((start + Double(index) * (speech + pause)) * Double(second)) / 512 * 512
            return begin..<(begin + Int(speech * Double(second)) / 512 * 512)
        }
        return Recording(runs: runs, length: (runs.last?.upperBound ?? 0) + second)
    }

    private static let talks: [(count: Int, speech: Double, pause: Double)] = [
        (40, 3.1, 0.4), (200, 0.9, 0.25), (12, 14.0, 0.5), (30, 2.0, 5.0), (3, 29.0, 0.3), (1, 0.4, 1.0),
    ]

    @Test("all that is spoken is in the pieces, once", arguments: talks)
    func whole(count: Int, speech: Double, pause: Double) {
        let recording = Self.talk(count, speech: speech, pause: pause)
        var held = 0
        let pieces = recording.pieces(held: &held)
        var heard: [Range<Int>] = []
        for piece in pieces {
            #expect(piece.count <= SpeechCutter.Settings().longest && !piece.isOpen)
            for span in piece.spans {
                heard.append(span.source)
                // Samples and map agree.
                #expect(piece.samples[span.place] == Float(span.source.lowerBound))
                #expect(piece.source(of: span.place) == span.source.lowerBound)
                #expect(piece.source(of: span.place + span.source.count, isEnd: true) == span.source.upperBound)
            }
        }
        for (first, second) in zip(heard, heard.dropFirst()) { #expect(first.upperBound <= second.lowerBound, "nothing is heard twice") }
        for run in recording.runs {
            #expect(heard.contains { $0.lowerBound <= run.lowerBound && run.upperBound <= $0.upperBound }, "\(run) is cut or lost")
        }
        #expect(pieces.reduce(0) { $0 + $1.speech(after: 0) } >= recording.runs.reduce(0) { $0 + $1.count })
        #expect(held < 100 * Self.second, "memory does not grow")
    }

    @Test func fewPiecesForMuchSpeech() {
        var held = 0
        let pieces = Self.talk(100, speech: 2.6, pause: 0.4).pieces(held: &held)
        #expect(pieces.count <= 13, "300 seconds in pieces of 23 and more")
    }

    @Test func silenceIsNotHeard() {
        var held = 0
        let recording = Recording(runs: [], length: 120 * Self.second)
        #expect(recording.pieces(held: &held).isEmpty && held < 4 * Self.second)
        let late = Recording(runs: [60 * Self.second..<61 * Self.second], length: 120 * Self.second)
        let pieces = late.pieces(held: &held)
        #expect(pieces.count == 1 && pieces[0].count < 2 * Self.second)
    }

    @Test("what was said is heard before an hour of silence is over") func longSilence() {
        var held = 0
        let recording = Recording(runs: [Self.second..<2 * Self.second], length: 3600 * Self.second)
        #expect(recording.pieces(held: &held).count == 1 && held < 20 * Self.second)
    }

    @Test("long pauses are cut out of a piece") func pauses() throws {
        var held = 0
        let pieces = Self.talk(3, speech: 2, pause: 7).pieces(held: &held)
        let piece = try #require(pieces.first)
        #expect(pieces.count == 1 && piece.spans.count == 3 && piece.count < 9 * Self.second)
        #expect(piece.end > 20 * Self.second)
    }

    @Test("clicks are no speech") func clicks() {
        var held = 0
        let recording = Recording(runs: [512 * 40..<512 * 41, 512 * 90..<512 * 92], length: 10 * Self.second)
        #expect(recording.pieces(held: &held).isEmpty)
    }

    @Test("speech without a pause goes on where the last piece was understood", arguments: [1.0, 0.9, 0.5]) func open(share: Double) {
        var held = 0
        let recording = Recording(runs: [0..<100 * Self.second], length: 100 * Self.second)
        let pieces = recording.pieces(understood: share, held: &held)
        #expect(pieces.first?.isOpen == true && pieces.last?.isOpen == false)
        for (first, second) in zip(pieces, pieces.dropFirst()) { #expect(second.start == first.start + Int(Double(first.count) * share)) }
        #expect(pieces.last?.end == recording.length && held < 70 * Self.second)
    }

    @Test("speech up to the last sample, in a frame that is not whole, is one piece and the end", arguments: [1, 300, 428, 511, 512])
    func spokenToTheEnd(rest: Int) {
        let length = 3 * Self.second / 512 * 512 + rest
        let recording = Recording(runs: [4800..<length + 512], length: length)
        var cutter = SpeechCutter()
        cutter.add(
            (0..<length).map { Float($0) },
            probabilities: stride(from: 0, to: length, by: 512).map { start in recording.runs[0].contains(start + 256) ? 0.9 : 0.05 })
        cutter.finish()
        let piece = cutter.next()
        #expect(piece?.end == length && piece?.count ?? 0 > 2 * Self.second)
        #expect(cutter.next() == nil)
    }

    @Test("how sound comes does not matter", arguments: [1, 7, 31, 400]) func chunks(chunk: Int) {
        var held = 0
        let recording = Self.talk(40, speech: 3.1, pause: 0.4)
        #expect(recording.pieces(chunk: chunk, held: &held) == recording.pieces(chunk: 13, held: &held))
    }
}
