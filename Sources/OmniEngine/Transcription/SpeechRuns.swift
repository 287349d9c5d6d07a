/// Makes stretches of speech of the probabilities of frames, as they come. Two thresholds keep it from flickering: speech begins at the
/// higher one and ends below the lower one. Lengths are samples, or whatever a frame is counted in.
package struct SpeechRuns {
    /// Samples of a frame.
    let frame: Int
    private(set) var threshold: Float
    /// Samples without speech that end a stretch.
    private(set) var pause: Int
    /// Samples that a stretch must have: clicks are shorter.
    let shortest: Int

    /// Stretches that are over, in samples from the beginning of the sound.
    package private(set) var closed: [Range<Int>] = []
    /// Where the stretch that goes on began.
    package private(set) var open: Int?
    /// Where it may have ended.
    private var silence: Int?
    /// Samples of all frames so far.
    package private(set) var position = 0
    /// Samples without speech at the end of the stretch that goes on.
    package var quiet: Int { silence.map { position - $0 } ?? 0 }

    package init(frame: Int, threshold: Float, pause: Int, shortest: Int) {
        (self.frame, self.threshold, self.pause, self.shortest) = (frame, threshold, pause, shortest)
    }

    /// Counts by these from the next frame on.
    package mutating func use(threshold: Float, pause: Int) { (self.threshold, self.pause) = (threshold, pause) }

    package mutating func add(_ probability: Float) {
        let start = position
        position += frame
        if probability >= threshold {
            open = open ?? start
            silence = nil
        } else if open != nil, probability < max(threshold - 0.15, 0.01) {
            silence = silence ?? start
        }
        if let silence, position - silence >= pause { close(at: silence) }
    }

    /// The sound ends after `length` samples; its last frame may be a short one.
    package mutating func finish(at length: Int) { if open != nil { close(at: min(silence ?? position, length)) } }

    /// Takes away what lies before `place`, and cuts what lies on both sides of it.
    package mutating func drop(before place: Int) {
        closed = closed.compactMap { $0.upperBound <= place ? nil : max($0.lowerBound, place)..<$0.upperBound }
        if let start = open { open = max(start, place) }
    }

    private mutating func close(at end: Int) {
        if let start = open, end - start >= shortest { closed.append(start..<end) }
        (open, silence) = (nil, nil)
    }
}
