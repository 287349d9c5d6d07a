import OmniAPI

/// A model that speaks.
public protocol SpeechModel: ServedModel {
    /// The voices that the model has of its own; the first is its default.
    var voices: [SpeechVoice] { get }
    var abilities: SpeechAbilities { get }
    /// Starts to speak. Throws ``APIError`` for what is wrong with the request (unknown voice, a text that is too long, a
    /// sample to clone for a model that cannot) before anything is synthesised. Ending the iteration of the events, or the
    /// scope's cancellation, stops within one sentence.
    func speak(_ request: SpeechSynthesis, scope: RequestScope) async throws -> SpeechGeneration
}

/// A voice of a model.
public struct SpeechVoice: Sendable, Equatable {
    /// The name that requests use; compared without case.
    public var name: String
    /// BCP 47 where known: `en-us`.
    public var language: String?

    public init(name: String, language: String? = nil) {
        self.name = name
        self.language = language
    }
}

/// What a request may ask of a model beyond text and voice.
public struct SpeechAbilities: Sendable, Equatable {
    /// It speaks with the voice of a sample.
    public var clones: Bool
    /// A sample needs its text beside it.
    public var cloningNeedsText: Bool
    /// The same seed gives the same sound.
    public var honoursSeed: Bool
    /// It needs no seed: the same request always gives the same sound.
    public var isDeterministic: Bool
    public var honoursInstructions: Bool
    /// Hz of the model itself; requests may ask for any rate of 8000…48000, which is resampled.
    public var sampleRate: Int
    /// Longest text of a request, Unicode scalars; nil where there is no limit.
    public var longestText: Int?

    public init(
        clones: Bool = false, cloningNeedsText: Bool = false, honoursSeed: Bool = false, isDeterministic: Bool = false,
        honoursInstructions: Bool = false, sampleRate: Int, longestText: Int? = nil
    ) {
        self.longestText = longestText
        self.clones = clones
        self.cloningNeedsText = cloningNeedsText
        self.honoursSeed = honoursSeed
        self.isDeterministic = isDeterministic
        self.honoursInstructions = honoursInstructions
        self.sampleRate = sampleRate
    }
}

/// What is to be spoken, and how.
public struct SpeechSynthesis: Sendable {
    public var text: String
    /// A voice of the model, without case; nil for its default.
    public var voice: String?
    /// 0.25…4, with the pitch kept.
    public var speed: Double
    /// Hz of the sound that comes out; nil for the model's own.
    public var sampleRate: Int?
    /// BCP 47 or an English name; nil for the voice's own.
    public var language: String?
    /// How to speak, in words.
    public var instructions: String?
    public var seed: Int?
    /// A voice to imitate.
    public var reference: ReferenceVoice?

    public init(
        text: String, voice: String? = nil, speed: Double = 1, sampleRate: Int? = nil, language: String? = nil, instructions: String? = nil,
        seed: Int? = nil, reference: ReferenceVoice? = nil
    ) {
        self.text = text
        self.voice = voice
        self.speed = speed
        self.sampleRate = sampleRate
        self.language = language
        self.instructions = instructions
        self.seed = seed
        self.reference = reference
    }
}

/// A sample of a voice.
public struct ReferenceVoice: Sendable {
    /// Mono, −1…1.
    public var samples: [Float]
    /// Hz
    public var sampleRate: Int
    /// What is said in the sample.
    public var text: String?
    /// Names the sample, so that an engine may keep what it computed from it.
    public var id: String?

    public init(samples: [Float], sampleRate: Int, text: String? = nil, id: String? = nil) {
        self.samples = samples
        self.sampleRate = sampleRate
        self.text = text
        self.id = id
    }
}

/// A running synthesis.
public struct SpeechGeneration: Sendable {
    /// Hz of the mono samples in the events.
    public let sampleRate: Int
    /// Request fields that the model cannot honour, by their wire names: for `x-ignored-params`.
    public let ignored: [String]
    public let events: AsyncThrowingStream<SpeechEvent, any Error>

    public init(sampleRate: Int, ignored: [String], events: AsyncThrowingStream<SpeechEvent, any Error>) {
        self.sampleRate = sampleRate
        self.ignored = ignored
        self.events = events
    }
}

/// What an engine says while it speaks.
public enum SpeechEvent: Sendable {
    /// The next mono samples, at most a fifth of a second.
    case audio([Float])
    /// A sentence is through; its sound has come before.
    case unit(SpeechUnit)
    /// The last event.
    case usage(SpeechUsage)
}

/// The record of one sentence: what was sent to synthesis and what came of it.
public struct SpeechUnit: Sendable, Equatable {
    /// Place among the units of the request, from 0.
    public var index: Int
    /// The text of the unit; all units joined are the normalised text.
    public var text: String
    /// Symbols handed to the model: phonemes, or characters.
    public var symbols: Int
    /// Symbols that the model does not know, and did not get.
    public var dropped: [String]
    /// Samples that the model made, at its own rate, before speed and resampling; 0 when there was nothing to say.
    public var samples: Int

    public init(index: Int, text: String, symbols: Int, dropped: [String], samples: Int) {
        self.index = index
        self.text = text
        self.symbols = symbols
        self.dropped = dropped
        self.samples = samples
    }
}

/// The counts over all units.
public struct SpeechUsage: Sendable, Equatable {
    /// Symbols handed to the model.
    public var inputTokens: Int
    /// Codec frames; for models without a codec, started 80 ms of sound.
    public var outputTokens: Int
    public var units: Int
    /// Seconds of sound sent, after speed.
    public var seconds: Double

    public init(inputTokens: Int = 0, outputTokens: Int = 0, units: Int = 0, seconds: Double = 0) {
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.units = units
        self.seconds = seconds
    }
}
