/// What is taken of a window that was heard, and where hearing goes on.
struct WindowReading {
    /// Segments to be written down.
    var kept: [WhisperModel.Window.Segment]
    /// Hundredths of a second of the piece at which the next window begins; nil when the piece is through.
    var next: Int?
    /// For an open piece: the place in the recording from which on it was not understood.
    var resumption: Int?

    /// Samples of a hundredth of a second.
    private static let unit = 160

    /// - Parameter from: where the window begins, hundredths of a second of the piece.
    init(_ window: WhisperModel.Window, in piece: SoundPiece, from: Int) {
        let length = piece.count / Self.unit
        let end = min(window.segments.last?.end ?? length, length)
        kept = window.segments
        guard piece.isOpen else {
            // The model may stop too early: speech that is left is heard again, but never the same stretch twice.
            if !window.segments.isEmpty, end > from + 100, piece.speech(after: end * Self.unit) > Self.leftOver { next = end }
            return
        }
        // The last sentence may have been cut off: it is heard whole in the next piece.
        if window.segments.count > 1, end >= length - 50, let last = window.segments.last, last.start > from + length / 3 {
            kept.removeLast()
            resumption = piece.source(of: last.start * Self.unit)
        } else {
            resumption = end > from + length / 3 ? piece.source(of: end * Self.unit, isEnd: true) : piece.end
        }
    }

    /// Samples of speech that are worth another window.
    private static let leftOver = 16_000
}
