import OmniAPI
import OmniEngine

/// Finds the user's turns in sound as it comes, frame by frame.
struct TurnDetector {
    enum Event: Equatable {
        /// Somebody began to speak: milliseconds of the sound so far, up to the beginning.
        case started(Int)
        /// Nobody speaks for the moment: the turn may be over.
        case paused
        /// It is not.
        case resumed
        /// The turn is over, at the end of the silence that tells so.
        case stopped(Int)
    }

    /// Milliseconds of a frame.
    static let frame = VoiceActivity.frame * 1000 / VoiceActivity.sampleRate
    /// Milliseconds of speech that make a turn: clicks are shorter.
    static let shortest = 80
    /// Milliseconds without speech after which a turn may be over: gaps between words are shorter.
    static let hesitation = 140

    private var activity = VoiceActivity()
    private var runs: SpeechRuns
    private var settings: RealtimeTurnDetection
    private var threshold: Double
    /// Frames of speech in the stretch that is open.
    private var spoken = 0
    /// A turn has begun and is not over.
    private(set) var isSpeaking = false
    private var isPaused = false

    init(_ settings: RealtimeTurnDetection) {
        self.settings = settings
        threshold = Self.threshold(settings)
        runs = Self.runs(settings, threshold)
    }

    private static func threshold(_ settings: RealtimeTurnDetection) -> Double {
        settings.kind == .semanticVAD ? RealtimeTurnDetection().threshold : settings.threshold
    }

    /// Goes on by other settings, also within a turn.
    mutating func use(_ settings: RealtimeTurnDetection) {
        (self.settings, threshold) = (settings, Self.threshold(settings))
        runs.use(threshold: Float(threshold), pause: settings.pause)
    }

    private static func runs(_ settings: RealtimeTurnDetection, _ threshold: Double) -> SpeechRuns {
        SpeechRuns(frame: frame, threshold: Float(threshold), pause: settings.pause, shortest: shortest)
    }

    /// Counts from here on, and waits for a new turn. What is known of the background stays.
    mutating func restart() {
        runs = Self.runs(settings, threshold)
        (spoken, isSpeaking, isPaused) = (0, false, false)
    }

    /// Takes the next 20 ms, at any multiple of 8 kHz.
    mutating func add(_ samples: [Int16]) -> Event? {
        let probability = activity.add(Self.reduced(samples))
        runs.add(Float(probability))
        defer { runs.drop(before: runs.open ?? runs.position) }
        guard let start = runs.open else {
            spoken = 0
            guard isSpeaking else { return nil }
            (isSpeaking, isPaused) = (false, false)
            return .stopped(runs.position)
        }
        if probability >= threshold { spoken += 1 }
        guard !isSpeaking else { return hesitates() }
        guard spoken * Self.frame >= Self.shortest else { return nil }
        isSpeaking = true
        return .started(start)
    }

    private mutating func hesitates() -> Event? {
        guard isPaused != (runs.quiet >= (isPaused ? 1 : Self.hesitation)) else { return nil }
        isPaused.toggle()
        return isPaused ? .paused : .resumed
    }

    /// The mean of each group of samples: 8 kHz.
    private static func reduced(_ samples: [Int16]) -> [Float] {
        let group = max(1, samples.count / VoiceActivity.frame)
        return (0..<samples.count / group).map { place in
            Float(samples[place * group..<(place + 1) * group].reduce(0) { $0 + Int($1) }) / Float(group * 32_768)
        }
    }
}
