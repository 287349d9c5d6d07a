/// `POST /v1/audio/transcriptions` and `/v1/audio/translations`, all but the sound: the text fields of the form.
public struct TranscriptionRequest: WireObject, Equatable {
    public enum Format: String, CaseIterable, Sendable {
        case json, text, srt, vtt
        case verboseJSON = "verbose_json"
        case diarizedJSON = "diarized_json"

        /// It is a plain text.
        public var isText: Bool { [.text, .srt, .vtt].contains(self) }
    }

    public enum Granularity: String, CaseIterable, Sendable { case word, segment }

    public enum Inclusion: String, CaseIterable, Sendable { case logprobs }

    /// How speech is told from what is none, where a request says so.
    public struct VoiceActivity: WireObject, Equatable {
        public enum Kind: String, CaseIterable, Sendable { case auto, serverVAD = "server_vad" }

        public var kind = Kind.auto
        /// Milliseconds.
        public var prefixPadding: Int?
        public var silence: Int?
        public var threshold: Double?

        public init() {}

        public static var schemaName: String { "TranscriptionVoiceActivity" }
        public static var fields: [Field<VoiceActivity>] {
            [
                .required("type", \.kind, .choice),
                .optional("prefix_padding_ms", \.prefixPadding, .integer(0...2000), "Sound kept before and after what is spoken."),
                .optional("silence_duration_ms", \.silence, .integer(32...5000), "Silence that makes a pause."),
                .optional("threshold", \.threshold, .number(0.05...0.95), "Probability from which on sound counts as speech."),
            ]
        }
    }

    public var model: String?
    public var language: String?
    public var prompt: String?
    public var format = Format.json
    public var temperature = 0.0
    public var granularities: [Granularity] = []
    public var include: [Inclusion] = []
    public var chunking: VoiceActivity?
    public var stream = false
    public var toLanguage: String?
    public var lowLatency = false

    public init() {}

    /// The form's field that holds the sound.
    public static let fileName = "file"
    /// Longest `prompt`, Unicode scalars; a model takes the end of it.
    public static let longestPrompt = 16_384

    public static var fields: [Field<TranscriptionRequest>] {
        [
            .optional("model", \.model, .string, "A served model's name; may be absent."),
            .optional("language", \.language, .string, "What is spoken: an ISO 639-1 code. When absent the model tells."),
            .optional(
                "prompt", \.prompt, .string(length: 0...longestPrompt), "Text before the sound's: names, spelling, what was said so far."),
            .with(default: .json, "response_format", \.format, .choice, "`diarized_json` needs a diarizer, which no served model has."),
            .with(
                default: 0, "temperature", \.temperature, .number(0...1),
                "0 takes the likeliest tokens, and rises by itself where that fails."),
            .with(
                default: [], "timestamp_granularities", \.granularities, .oneOrList(of: .choice, count: 0...8),
                "With `verbose_json`: times of words, of segments (the default), or of both."),
            .with(default: [], "include", \.include, .oneOrList(of: .choice, count: 0...8), "With `json`: the tokens' log probabilities."),
            .optional(
                "chunking_strategy", \.chunking, .chunkingStrategy, "Long sound is always cut at pauses; how pauses are told can be set."),
            .with(
                default: false, "stream", \.stream, .bool,
                "Answer with events while the sound is heard; with `verbose_json` also segments with their times."),
            .with(
                default: false, "low_latency", \.lowLatency, .bool,
                "Short sound is heard several times as fast; a few more words are misheard. No other server has this field."),
            .optional("to_language", \.toLanguage, .string, "Of translations: English, the only one there is."),
        ]
    }

    public func validate(at path: WirePath) throws {
        if let toLanguage, !["en", "english"].contains(toLanguage.lowercased()) {
            throw APIError.field(path.appending("to_language"), "must be en: no model translates into other languages.")
        }
        if stream, [.srt, .vtt].contains(format) {
            throw APIError.field(
                path.appending("response_format"),
                "cannot be \(format.rawValue) in a stream; verbose_json streams segments with their times.")
        }
    }

    public var withoutEffect: [String] {
        var names: [String] = []
        if !granularities.isEmpty, format != .verboseJSON { names.append("timestamp_granularities") }
        if !include.isEmpty, format != .json { names.append("include") }
        return names
    }

    public var timesWords: Bool { format == .verboseJSON && granularities.contains(.word) }
    public var timesSegments: Bool { granularities.isEmpty || granularities.contains(.segment) }
    public var tellsLogprobs: Bool { format == .json && include.contains(.logprobs) }
}

extension WireType where Value == TranscriptionRequest.VoiceActivity {
    /// `auto`, or an object; forms have it as text.
    static var chunkingStrategy: WireType {
        let object = WireType.object()
        return WireType(
            decode: { json, path in
                if json == "auto" { return TranscriptionRequest.VoiceActivity() }
                if case .string(let text) = json, let parsed = try? JSONValue.parse(text), parsed.objectValue != nil {
                    return try object.decode(parsed, path)
                }
                guard json.objectValue != nil else {
                    throw APIError.field(path, "must be auto, or an object with a type; not \(json.short).")
                }
                return try object.decode(json, path)
            },
            encode: { $0 == TranscriptionRequest.VoiceActivity() ? "auto" : object.encode($0) },
            schema: { ["anyOf": [["type": "string", "const": "auto"], object.schema()]] })
    }
}
