import OmniEngine

/// Cuts a recording into pieces of at most thirty seconds, at pauses, and leaves out what is no speech. Holds the samples of one piece and
/// little more, however long the recording is. A pure value.
///
/// Where somebody speaks for longer than a piece without a pause, the piece is open: whoever has heard it says how far it was understood
/// (``resume(at:)``), and the next piece begins there.
struct SpeechCutter {
    struct Settings {
        /// Samples of a frame that has a probability.
        var frame = 512
        var threshold: Float = 0.5
        /// Samples.
        var padding = 4800
        var pause = 2560
        var shortest = 1536
        /// Samples of a piece, at most.
        var longest = 476_800
        /// Silence after which what was said is not kept waiting for more.
        var longestWait = 128_000
        /// A longer pause is cut out of a piece, all but the padding around it.
        var keptPause = 32_000
    }

    let settings: Settings
    private var runs: SpeechRuns
    private var samples: [Float] = []
    /// The place in the recording of the first of `samples`.
    private var origin = 0
    private var isFinished = false
    /// Where the last piece ended: nothing before it is heard again.
    private var border = 0
    private var awaitsResumption = false

    init(_ settings: Settings = Settings()) {
        self.settings = settings
        runs = SpeechRuns(frame: settings.frame, threshold: settings.threshold, pause: settings.pause, shortest: settings.shortest)
    }

    /// Samples of the recording so far.
    var position: Int { origin + samples.count }
    /// Samples that are held.
    var held: Int { samples.count }

    /// Takes the next samples, with a probability for each frame of them; the last frame may be short.
    mutating func add(_ more: [Float], probabilities: [Float]) {
        samples += more
        for probability in probabilities { runs.add(probability) }
        forget()
    }

    /// The recording ends here.
    mutating func finish() {
        guard !isFinished else { return }
        isFinished = true
        runs.finish(at: position)
    }

    /// The next piece, once it is known where it ends; nil until then, and at the end.
    mutating func next() -> SoundPiece? {
        guard !awaitsResumption, let first = runs.closed.first ?? runs.open.map({ $0..<max($0, position) }) else { return nil }
        let closed = runs.closed
        let whole = layout(closed + (runs.open.map { [$0..<max($0, position)] } ?? []))
        let isFull = whole.length > settings.longest
        let end = closed.last?.upperBound ?? position
        let isQuiet = runs.open == nil && position - end >= settings.longestWait
        guard isFull || isFinished || isQuiet else { return nil }
        guard isFull else { return emit(closed, upTo: min(end + settings.padding, position)) }
        guard let count = bestCut(closed) else { return emitOpen(from: first.lowerBound) }
        let pause = (closed[count - 1].upperBound, count < closed.count ? closed[count].lowerBound : runs.open ?? position)
        return emit(Array(closed[..<count]), upTo: min(pause.0 + settings.padding, (pause.0 + pause.1) / 2))
    }

    /// An open piece was understood up to this place of the recording.
    mutating func resume(at place: Int) {
        guard awaitsResumption else { return }
        awaitsResumption = false
        cut(at: min(max(place, border), position))
    }

    // MARK: Where to cut

    /// After how many stretches the piece ends: where it is full enough, at the longest pause, rather late than early. Nil where not even
    /// the first fits.
    private func bestCut(_ closed: [Range<Int>]) -> Int? {
        var best: (count: Int, score: Double)?
        for count in closed.indices.map({ $0 + 1 }) {
            let length = layout(Array(closed[..<count])).length
            guard length <= settings.longest else { break }
            let next = count < closed.count ? closed[count].lowerBound : runs.open ?? position
            let pause = min(Double(next - closed[count - 1].upperBound) / 16_000, 0.6) / 0.6
            let fill = Double(length) / Double(settings.longest)
            // A piece costs the same whether it is full or not.
            let score = fill < 0.6 ? fill - 1 : pause + 2 * fill
            if score >= best?.score ?? -.infinity { best = (count, score) }
        }
        return best?.count
    }

    // MARK: Pieces

    /// The stretches of the recording that a piece of these runs consists of: with padding, and without long pauses.
    private func layout(_ runs: [Range<Int>]) -> (spans: [Range<Int>], length: Int) {
        var spans: [Range<Int>] = []
        for run in runs {
            let start = max(run.lowerBound - settings.padding, border), end = min(run.upperBound + settings.padding, position)
            if let last = spans.last,
                run.lowerBound - (last.upperBound - settings.padding) <= settings.keptPause || start <= last.upperBound
            {
                spans[spans.count - 1] = last.lowerBound..<max(end, last.upperBound)
            } else {
                spans.append(start..<max(end, start))
            }
        }
        return (spans, spans.reduce(0) { $0 + $1.count })
    }

    private mutating func emit(_ closed: [Range<Int>], upTo end: Int) -> SoundPiece? {
        var spans = layout(closed).spans
        guard let last = spans.last else { return nil }
        spans[spans.count - 1] = last.lowerBound..<min(max(end, closed[closed.count - 1].upperBound), position)
        let piece = piece(spans, speech: closed)
        cut(at: piece.end)
        return piece
    }

    private mutating func emitOpen(from first: Int) -> SoundPiece? {
        let start = max(first - settings.padding, border)
        let span = start..<min(start + settings.longest, position)
        var piece = piece([span], speech: [max(first, start)..<span.upperBound])
        piece.isOpen = true
        awaitsResumption = true
        return piece
    }

    private func piece(_ spans: [Range<Int>], speech: [Range<Int>]) -> SoundPiece {
        var piece = SoundPiece(spans: [], samples: [], speech: [])
        for span in spans {
            let place = piece.samples.count
            piece.spans.append(.init(source: span, place: place))
            piece.samples += samples[(span.lowerBound - origin)..<(span.upperBound - origin)]
            for run in speech where run.overlaps(span) {
                let part = run.clamped(to: span)
                piece.speech.append((part.lowerBound - span.lowerBound + place)..<(part.upperBound - span.lowerBound + place))
            }
        }
        return piece
    }

    private mutating func cut(at place: Int) {
        border = place
        runs.drop(before: place)
        forget()
    }

    /// Drops samples that no piece can need any more.
    private mutating func forget() {
        let first = runs.closed.first?.lowerBound ?? runs.open ?? (position - settings.pause - settings.frame)
        let needed = max(border, first - settings.padding - settings.frame)
        guard !awaitsResumption, needed - origin > 16_000 else { return }
        samples.removeFirst(min(needed - origin, samples.count))
        origin = needed
    }
}
