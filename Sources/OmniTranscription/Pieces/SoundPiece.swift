/// Sound for one look of the model: stretches of the recording, one behind the other. Long pauses between them are left out.
struct SoundPiece: Equatable, Sendable {
    /// A stretch of the recording, in samples from its beginning.
    struct Span: Equatable, Sendable {
        /// Where it lies in the recording.
        var source: Range<Int>
        /// Where it begins in the piece.
        var place: Int
    }

    /// In their order; at least one.
    var spans: [Span]
    var samples: [Float]
    /// Where somebody speaks, in samples of the piece.
    var speech: [Range<Int>]
    /// It was cut without a pause: its end may lie in a word.
    var isOpen = false

    var count: Int { samples.count }
    /// Samples of the recording before this piece and after it.
    var start: Int { spans.first?.source.lowerBound ?? 0 }
    var end: Int { spans.last?.source.upperBound ?? 0 }

    /// The place in the recording of a place in the piece. A place between two stretches belongs to the one that ends there where
    /// `isEnd`, else to the one that begins.
    func source(of place: Int, isEnd: Bool = false) -> Int {
        let span = spans.last { isEnd ? $0.place < place : $0.place <= place } ?? spans[0]
        return min(max(span.source.lowerBound + place - span.place, span.source.lowerBound), span.source.upperBound)
    }

    /// Samples of speech that lie at `place` or after it.
    func speech(after place: Int) -> Int { speech.reduce(0) { $0 + max(0, $1.upperBound - max($1.lowerBound, place)) } }
}
