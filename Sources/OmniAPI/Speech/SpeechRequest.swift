/// `POST /v1/audio/speech`.
public struct SpeechRequest: WireObject {
    public enum StreamFormat: String, CaseIterable, Sendable {
        /// Events with base64 sound.
        case sse
        /// The bytes themselves, as they come.
        case audio
    }

    public enum TaskType: String, CaseIterable, Sendable {
        case customVoice = "CustomVoice", voiceDesign = "VoiceDesign", base = "Base"
    }

    /// A sample to imitate, with its text: another spelling of `ref_audio` and `ref_text`.
    public struct Reference: WireObject {
        public var audioPath = ""
        public var text: String?

        public init() {}

        public static var fields: [Field<Reference>] {
            [.required("audio_path", \.audioPath, .string), .optional("text", \.text, .string)]
        }

        public static var schemaName: String { "SpeechReference" }
    }

    public var input = ""
    public var model: String?
    public var voice: String?
    public var instructions: String?
    public var responseFormat = AudioFormat.wav
    /// Hz; nil for the model's own, in `pcm` for ``AudioFormat/pcmRate``.
    public var sampleRate: Int?
    public var speed = 1.0
    public var stream = false
    public var streamFormat: StreamFormat?
    public var taskType: TaskType?
    public var language: String?
    /// http(s), data or file URIs.
    public var refAudio: [String] = []
    public var refText: String?
    public var refAudio2: String?
    public var ambientSound: String?
    public var references: [Reference]?
    /// Wished length in seconds.
    public var durationSeconds: Double?
    public var xVectorOnlyMode: Bool?
    /// One vector, or several.
    public var speakerEmbedding: [[Double]]?
    public var maxNewTokens: Int?
    public var seed: Int?
    public var initialCodecChunkFrames: Int?
    public var nonStreamingMode: Bool?
    public var extraParams: JSONObject?
    public var wordTimestamps = false

    public init() {}

    /// Longest `instructions`, in Unicode scalars (`--tts-max-instructions-length`).
    public static let longestInstructions = 500

    public static var fields: [Field<SpeechRequest>] {
        [
            .required("input", \.input, .string, "The text to speak."),
            .optional("model", \.model, .string),
            .optional("voice", \.voice, .speechVoice, aliases: ["speaker"], "A voice's name without case, or an object with its `id`."),
            .optional("instructions", \.instructions, .string(length: 0...longestInstructions), "How to speak."),
            .with(default: .wav, "response_format", \.responseFormat, .choice),
            .optional("sample_rate", \.sampleRate, .integer(1 ... .max), "Hz; when not given the model's own, and 24000 for `pcm`."),
            .with(default: 1, "speed", \.speed, .speechSpeed, "The pitch is kept."),
            .with(default: false, "stream", \.stream, .bool, "Answer with events."),
            .optional("stream_format", \.streamFormat, .choice),
            .optional("task_type", \.taskType, .choice),
            .optional("language", \.language, .string),
            .with(default: [], "ref_audio", \.refAudio, .references, "Samples of a voice to imitate: http(s), data or file URIs."),
            .optional("ref_text", \.refText, .string, "What is said in the sample."),
            .optional("ref_audio_2", \.refAudio2, .string),
            .optional("ambient_sound", \.ambientSound, .string),
            .optional("references", \.references, .list(of: .object(), count: 1...1)),
            .optional("duration_seconds", \.durationSeconds, .number(0 ... .greatestFiniteMagnitude)),
            .optional("x_vector_only_mode", \.xVectorOnlyMode, .bool),
            .optional("speaker_embedding", \.speakerEmbedding, .speakerEmbedding),
            .optional("max_new_tokens", \.maxNewTokens, .integer(1 ... .max)),
            .optional("seed", \.seed, .integer()),
            .optional("initial_codec_chunk_frames", \.initialCodecChunkFrames, .integer(0 ... .max)),
            .optional("non_streaming_mode", \.nonStreamingMode, .bool),
            .optional("extra_params", \.extraParams, .openObject),
            .with(default: false, "word_timestamps", \.wordTimestamps, .bool),
        ]
    }

    public func validate(at path: WirePath) throws {
        if references != nil, !refAudio.isEmpty || refText != nil {
            throw APIError.field(path.appending("references"), "stands for ref_audio and ref_text; give one or the other.")
        }
        if speakerEmbedding != nil, !refAudio.isEmpty { throw APIError.field(path, "speaker_embedding and ref_audio exclude each other.") }
        if wordTimestamps, isStreamed { throw APIError.invalid("word_timestamps", "word_timestamps is not possible with streaming.") }
    }

    /// Hz of the reply's sound; nil for the model's own.
    public var replyRate: Int? { sampleRate ?? (responseFormat == .pcm ? AudioFormat.pcmRate : nil) }
    /// The reply comes in pieces.
    public var isStreamed: Bool { stream || streamFormat != nil }
    /// The reply is a stream of events; otherwise bytes.
    public var repliesWithEvents: Bool { streamFormat == .sse || stream && streamFormat == nil }
    /// The voice as asked for; nil where the default is meant.
    public var wantedVoice: String? { voice.flatMap { $0.isEmpty || $0.lowercased() == "default" ? nil : $0 } }
    /// The samples to imitate, however they were given.
    public var samples: [String] { references?.map(\.audioPath) ?? refAudio }
    /// The text of the sample, however it was given.
    public var sampleText: String? { references?.first?.text ?? refText }
}

extension WireType where Value == String {
    /// A name, or `{"id": name}`.
    static var speechVoice: WireType {
        WireType(
            decode: { json, path in
                if case .object(let object) = json {
                    guard let id = object["id"]?.stringValue else { throw APIError.field(path.appending("id"), "is required.") }
                    return id
                }
                return try WireType.string.decode(json, path)
            },
            encode: { .string($0) },
            schema: { ["anyOf": [["type": "string"], ["type": "object", "properties": ["id": ["type": "string"]], "required": ["id"]]]] })
    }
}

extension WireType where Value == Double {
    /// 0.25…4; null is 1.
    static var speechSpeed: WireType {
        let number = WireType.number(0.25...4)
        return WireType(
            decode: { json, path in json.isNull ? 1 : try number.decode(json, path) }, encode: number.encode, schema: number.schema)
    }
}

extension WireType where Value == [String] {
    /// One reference, or a list with at least one; null is none.
    static var references: WireType {
        let some = WireType.oneOrList(of: .string, count: 1 ... .max)
        return WireType(
            decode: { json, path in json.isNull ? [] : try some.decode(json, path) },
            encode: { $0.count == 1 ? .string($0[0]) : some.encode($0) },
            schema: { ["anyOf": [some.schema(), ["type": "null"]]] })
    }
}

extension WireType where Value == [[Double]] {
    /// A vector of at most 8192 numbers, or a list of such vectors.
    static var speakerEmbedding: WireType {
        let vector = WireType<[Double]>.list(of: .number(), count: 1...8192)
        let vectors = WireType.list(of: vector, count: 1 ... .max)
        return WireType(
            decode: { json, path in
                if json[0]?.arrayValue != nil { return try vectors.decode(json, path) }
                return [try vector.decode(json, path)]
            },
            encode: { $0.count == 1 ? vector.encode($0[0]) : vectors.encode($0) },
            schema: { ["anyOf": [vector.schema(), vectors.schema()]] })
    }
}
