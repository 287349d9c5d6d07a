import OmniLlama

/// What a sequence begins with: tokens, and between them pictures and sounds.
///
/// A medium takes as many places in `tokens` as the model spends embeddings on it. Those places hold numbers below zero
/// that follow from the medium's content, so that comparing two prompts compares their media too.
struct Prompt: Sendable {
    var tokens: [Token]
    var media: [MediaSpan] = []
    /// What changes the model that reads it; nil for nothing.
    var adapter: AdapterFile?

    init(_ tokens: [Token] = []) { self.tokens = tokens }

    /// The position in the model's context that belongs to the place `index`: some models count a picture's positions
    /// otherwise than its embeddings.
    func position(of index: Int) -> Int32 {
        guard !media.isEmpty else { return Int32(index) }
        return Int32(index - media.reduce(0) { $0 + ($1.places.upperBound <= index ? $1.places.count - $1.positions : 0) })
    }

    /// Shortens `length` so that no medium is cut in two.
    func wholeMedia(_ length: Int) -> Int {
        media.first { $0.places.contains(length) && $0.places.lowerBound < length }?.places.lowerBound ?? length
    }

    /// Places between `index` and the next medium, or the end.
    func textRun(from index: Int, end: Int) -> Int {
        (media.first { $0.places.lowerBound >= index }?.places.lowerBound ?? end) - index
    }

    /// The medium that begins at `index`.
    func mediaSpan(at index: Int) -> MediaSpan? { media.isEmpty ? nil : media.first { $0.places.lowerBound == index } }
}

/// Where a medium stands in a prompt.
struct MediaSpan: Sendable {
    var places: Range<Int>
    /// Positions that it takes in the model's context.
    var positions: Int
    var pieces: [MediaPiece]
}

/// The number of tokens that two prompts have in common at their beginning.
func commonPrefix(_ left: [Token], _ leftCount: Int, _ right: [Token], _ rightCount: Int) -> Int {
    let count = min(leftCount, rightCount)
    return left.withUnsafeBufferPointer { left in
        right.withUnsafeBufferPointer { right in
            var index = 0
            while index < count, left[index] == right[index] { index += 1 }
            return index
        }
    }
}
