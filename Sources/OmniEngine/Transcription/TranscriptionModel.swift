import OmniAPI

/// A model that writes down what is said.
public protocol TranscriptionModel: ServedModel {
    var abilities: TranscriptionAbilities { get }
    /// Starts to write down. Throws ``APIError`` for what is wrong with the request (a language that the model does not know, 503 when the
    /// queue is full) before anything is computed. Ending the iteration of the events, or the scope's cancellation, stops at the next
    /// node of a graph.
    func transcribe(_ request: SpeechRecognition, scope: RequestScope) async throws -> AsyncThrowingStream<TranscriptionEvent, any Error>
}

/// What a request may ask of a model that transcribes.
public struct TranscriptionAbilities: Sendable, Equatable {
    /// What it writes down.
    public var languages: [SpokenLanguage]
    /// It writes English for what is said in any of its languages.
    public var translates: Bool
    /// It tells when each word is said.
    public var timesWords: Bool
    /// It finds pauses, so that silence costs nothing and cuts fall between words.
    public var findsPauses: Bool

    public init(languages: [SpokenLanguage], translates: Bool = false, timesWords: Bool = false, findsPauses: Bool = false) {
        (self.languages, self.translates, self.timesWords, self.findsPauses) = (languages, translates, timesWords, findsPauses)
    }
}

public struct SpokenLanguage: Sendable, Equatable {
    /// ISO 639-1, or -3 where there is none.
    public var code: String
    /// In English, in lower case.
    public var name: String

    public init(code: String, name: String) { (self.code, self.name) = (code, name) }
}

/// Sound that comes piece by piece.
public protocol SoundSource: Sendable {
    /// The next mono samples, −1…1, at ``SpeechRecognition/sampleRate``; nil at the end. One thread at a time asks.
    func next() throws -> [Float]?
    /// Seconds in all, as the file says: good for a progress bar only.
    var statedSeconds: Double? { get }
}

/// What is to be written down, and how.
public struct SpeechRecognition: Sendable {
    /// Hz of all sound that is heard.
    public static let sampleRate = 16_000

    public var sound: any SoundSource
    /// A code or an English name; nil where the model shall tell.
    public var language: String?
    /// Written down in English, whatever is spoken.
    public var translates: Bool
    /// Text that stands before the sound's: names, spelling, what was said so far.
    public var prompt: String?
    /// 0 takes the likeliest, and rises by itself where that fails.
    public var temperature: Double
    public var timesWords: Bool
    /// Short sound is heard quickly, where that can be understood.
    public var lowLatency = false
    public var voiceActivity: VoiceActivitySettings

    public init(
        sound: any SoundSource, language: String? = nil, translates: Bool = false, prompt: String? = nil, temperature: Double = 0,
        timesWords: Bool = false, voiceActivity: VoiceActivitySettings = VoiceActivitySettings()
    ) {
        (self.sound, self.language, self.translates, self.prompt) = (sound, language, translates, prompt)
        (self.temperature, self.timesWords, self.voiceActivity) = (temperature, timesWords, voiceActivity)
    }
}

/// How speech is told from what is none.
public struct VoiceActivitySettings: Sendable, Equatable {
    /// Probability from which on a frame counts as speech.
    public var threshold: Double
    /// Seconds kept before and after what is spoken.
    public var padding: Double
    /// Seconds without speech that make a pause.
    public var pause: Double

    public init(threshold: Double = 0.5, padding: Double = 0.3, pause: Double = 0.16) {
        (self.threshold, self.padding, self.pause) = (threshold, padding, pause)
    }
}

/// What an engine says while it writes down.
public enum TranscriptionEvent: Sendable, Equatable {
    /// The language, as a code: before the first segment, or before the end where nothing is said.
    case language(String)
    /// What is said next.
    case segment(TranscriptSegment)
    /// Everything before this second has been written down.
    case heard(seconds: Double)
    /// The last event.
    case finished(TranscriptionCounts)
}

/// A stretch of speech, mostly a sentence.
public struct TranscriptSegment: Sendable, Equatable {
    /// Seconds from the beginning of the sound.
    public var start: Double
    public var end: Double
    /// With the blank before it, where words are written apart: all texts joined are the transcript.
    public var text: String
    public var tokens: [TranscriptToken]
    /// Empty unless asked for.
    public var words: [TranscriptWord]
    public var temperature: Double
    /// Mean of the tokens' log probabilities.
    public var averageLogprob: Double
    /// Bytes of the text by bytes that it compresses to: high for repeats.
    public var compressionRatio: Double
    public var noSpeechProbability: Double
    /// Hundredths of a second at which the model's window began.
    public var seek: Int

    public init(
        start: Double, end: Double, text: String, tokens: [TranscriptToken] = [], words: [TranscriptWord] = [], temperature: Double = 0,
        averageLogprob: Double = 0, compressionRatio: Double = 1, noSpeechProbability: Double = 0, seek: Int = 0
    ) {
        (self.start, self.end, self.text, self.tokens, self.words) = (start, end, text, tokens, words)
        (self.temperature, self.averageLogprob, self.compressionRatio) = (temperature, averageLogprob, compressionRatio)
        (self.noSpeechProbability, self.seek) = (noSpeechProbability, seek)
    }
}

public struct TranscriptToken: Sendable, Equatable {
    public var id: Int
    /// Not always whole characters.
    public var bytes: [UInt8]
    public var logprob: Double

    public init(id: Int, bytes: [UInt8], logprob: Double) { (self.id, self.bytes, self.logprob) = (id, bytes, logprob) }
}

public struct TranscriptWord: Sendable, Equatable {
    /// Without blanks around it, with the marks beside it.
    public var text: String
    /// Seconds from the beginning of the sound.
    public var start: Double
    public var end: Double

    public init(text: String, start: Double, end: Double) { (self.text, self.start, self.end) = (text, start, end) }
}

/// The counts over a whole transcription.
public struct TranscriptionCounts: Sendable, Equatable {
    /// Seconds of sound.
    public var seconds: Double
    /// Seconds of it that went through the model.
    public var spokenSeconds: Double
    public var promptTokens: Int
    public var outputTokens: Int

    public init(seconds: Double = 0, spokenSeconds: Double = 0, promptTokens: Int = 0, outputTokens: Int = 0) {
        (self.seconds, self.spokenSeconds, self.promptTokens, self.outputTokens) = (seconds, spokenSeconds, promptTokens, outputTokens)
    }
}
