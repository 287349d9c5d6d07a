/// The reply to a transcription with `json`.
public struct TranscriptionReply: WireObject, Equatable {
    public var text = ""
    public var languages: [DetectedLanguage]?
    public var logprobs: [TranscriptionLogprob]?
    public var usage: TranscriptionUsage?

    public init() {}

    public static var fields: [Field<TranscriptionReply>] {
        [
            .sent("text", \.text, .string), .optional("languages", \.languages, .list(of: .object()), "What is spoken."),
            .optional("logprobs", \.logprobs, .list(of: .object()), "With `include`."), .optional("usage", \.usage, .object()),
        ]
    }
}

/// The reply to a transcription with `verbose_json`.
public struct VerboseTranscription: WireObject, Equatable {
    public enum Task: String, CaseIterable, Sendable { case transcribe, translate }

    public var task = Task.transcribe
    /// Its English name: `english`.
    public var language = ""
    /// Seconds of the sound.
    public var duration = 0.0
    public var text = ""
    public var segments: [TranscriptionSegment]?
    public var words: [TranscriptionWord]?
    public var usage: TranscriptionUsage?

    public init() {}

    public static var fields: [Field<VerboseTranscription>] {
        [
            .sent("task", \.task, .choice), .sent("language", \.language, .string, "Its English name."),
            .sent("duration", \.duration, .number(), "Seconds of the sound."), .sent("text", \.text, .string),
            .optional("segments", \.segments, .list(of: .object())), .optional("words", \.words, .list(of: .object())),
            .optional("usage", \.usage, .object()),
        ]
    }
}

/// A stretch of speech, mostly a sentence.
public struct TranscriptionSegment: WireObject, Equatable {
    public var id = 0
    /// Hundredths of a second at which the model's window began.
    public var seek = 0
    /// Seconds.
    public var start = 0.0
    public var end = 0.0
    public var text = ""
    public var tokens: [Int] = []
    public var temperature = 0.0
    public var averageLogprob = 0.0
    public var compressionRatio = 0.0
    public var noSpeechProbability = 0.0

    public init() {}

    public static var fields: [Field<TranscriptionSegment>] {
        [
            .sent("id", \.id, .integer()), .sent("seek", \.seek, .integer()), .sent("start", \.start, .number(), "Seconds."),
            .sent("end", \.end, .number(), "Seconds."), .sent("text", \.text, .string), .sent("tokens", \.tokens, .list(of: .integer())),
            .sent("temperature", \.temperature, .number()), .sent("avg_logprob", \.averageLogprob, .number(), "Below -1 it is in doubt."),
            .sent("compression_ratio", \.compressionRatio, .number(), "Above 2.4 it says the same over and over."),
            .sent("no_speech_prob", \.noSpeechProbability, .number()),
        ]
    }
}

public struct TranscriptionWord: WireObject, Equatable {
    public var word = ""
    /// Seconds.
    public var start = 0.0
    public var end = 0.0

    public init() {}
    public init(word: String, start: Double, end: Double) { (self.word, self.start, self.end) = (word, start, end) }

    public static var fields: [Field<TranscriptionWord>] {
        [.sent("word", \.word, .string), .sent("start", \.start, .number(), "Seconds."), .sent("end", \.end, .number(), "Seconds.")]
    }
}

public struct TranscriptionLogprob: WireObject, Equatable {
    public var token = ""
    public var bytes: [Int] = []
    public var logprob = 0.0

    public init() {}

    public static var fields: [Field<TranscriptionLogprob>] {
        [.sent("token", \.token, .string), .sent("bytes", \.bytes, .list(of: .integer(0...255))), .sent("logprob", \.logprob, .number())]
    }
}

public struct DetectedLanguage: WireObject, Equatable {
    /// ISO 639-1, or -3 where there is none.
    public var code = ""

    public init() {}
    public init(code: String) { self.code = code }

    public static var fields: [Field<DetectedLanguage>] { [.sent("code", \.code, .string)] }
}

/// What a transcription cost: seconds of sound; in a stream, whose last event OpenAI types so, tokens.
public struct TranscriptionUsage: WireObject, Equatable {
    public enum Kind: String, CaseIterable, Sendable { case duration, tokens }

    public struct InputDetails: WireObject, Equatable {
        public var audioTokens: Int?
        public var textTokens: Int?

        public init() {}

        public static var schemaName: String { "TranscriptionInputTokenDetails" }
        public static var fields: [Field<InputDetails>] {
            [.optional("audio_tokens", \.audioTokens, .integer()), .optional("text_tokens", \.textTokens, .integer())]
        }
    }

    public var kind = Kind.duration
    public var seconds: Double?
    public var inputTokens: Int?
    public var outputTokens: Int?
    public var totalTokens: Int?
    public var inputDetails: InputDetails?

    public init() {}

    public init(seconds: Double) { self.seconds = seconds }

    /// - Parameters:
    ///   - audioTokens: steps of the encoder.
    ///   - textTokens: tokens of the prompt.
    public init(audioTokens: Int, textTokens: Int, outputTokens: Int) {
        kind = .tokens
        (inputTokens, self.outputTokens, totalTokens) = (audioTokens + textTokens, outputTokens, audioTokens + textTokens + outputTokens)
        var details = InputDetails()
        (details.audioTokens, details.textTokens) = (audioTokens, textTokens)
        inputDetails = details
    }

    public static var fields: [Field<TranscriptionUsage>] {
        [
            .sent("type", \.kind, .choice), .optional("seconds", \.seconds, .number(), "Of sound."),
            .optional("input_tokens", \.inputTokens, .integer()),
            .optional("output_tokens", \.outputTokens, .integer()), .optional("total_tokens", \.totalTokens, .integer()),
            .optional("input_token_details", \.inputDetails, .object()),
        ]
    }
}
