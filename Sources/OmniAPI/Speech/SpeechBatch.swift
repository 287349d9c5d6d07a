/// `POST /v1/audio/speech/batch`: several texts, with defaults for all.
public struct SpeechBatchRequest: SpeechBatchPart {
    /// What stands in an item wins over the same field of the batch.
    public struct Settings: Sendable {
        public var voice: String?
        public var instructions: String?
        public var responseFormat: AudioFormat?
        public var sampleRate: Int?
        public var speed: Double?
        public var taskType: SpeechRequest.TaskType?
        public var language: String?
        public var refAudio: [String]?
        public var refText: String?
        public var xVectorOnlyMode: Bool?
        public var maxNewTokens: Int?
        public var initialCodecChunkFrames: Int?
        public var nonStreamingMode: Bool?

        public init() {}
    }

    public struct Item: SpeechBatchPart {
        public var input = ""
        public var settings = Settings()

        public init() {}
        public static var fields: [Field<Item>] { [.required("input", \.input, .string)] + settingsFields }
        public static var schemaName: String { "SpeechBatchItem" }
    }

    /// Most items of a batch.
    public static let mostItems = 32

    public var items: [Item] = []
    public var model: String?
    public var settings = Settings()

    public init() {}

    public static var fields: [Field<SpeechBatchRequest>] {
        [.required("items", \.items, .list(of: .object(), count: 1...mostItems)), .optional("model", \.model, .string)] + settingsFields
    }

    /// The items as single requests, the batch's defaults filled in.
    public var requests: [SpeechRequest] {
        items.map { item in
            var request = SpeechRequest()
            let (own, shared) = (item.settings, settings)
            request.input = item.input
            request.model = model
            request.voice = own.voice ?? shared.voice
            request.instructions = own.instructions ?? shared.instructions
            request.responseFormat = own.responseFormat ?? shared.responseFormat ?? .wav
            request.sampleRate = own.sampleRate ?? shared.sampleRate
            request.speed = own.speed ?? shared.speed ?? 1
            request.taskType = own.taskType ?? shared.taskType
            request.language = own.language ?? shared.language
            request.refAudio = own.refAudio ?? shared.refAudio ?? []
            request.refText = own.refText ?? shared.refText
            request.xVectorOnlyMode = own.xVectorOnlyMode ?? shared.xVectorOnlyMode
            request.maxNewTokens = own.maxNewTokens ?? shared.maxNewTokens
            request.initialCodecChunkFrames = own.initialCodecChunkFrames ?? shared.initialCodecChunkFrames
            request.nonStreamingMode = own.nonStreamingMode ?? shared.nonStreamingMode
            return request
        }
    }
}

/// What a batch and its items share.
protocol SpeechBatchPart: WireObject {
    var settings: SpeechBatchRequest.Settings { get set }
}

extension SpeechBatchPart {
    static var settingsFields: [Field<Self>] {
        [
            .optional("voice", \.settings.voice, .string, aliases: ["speaker"]),
            .optional("instructions", \.settings.instructions, .string(length: 0...SpeechRequest.longestInstructions)),
            .optional("response_format", \.settings.responseFormat, .choice),
            .optional("sample_rate", \.settings.sampleRate, .integer(1 ... .max)),
            .optional("speed", \.settings.speed, .number(0.25...4)),
            .optional("task_type", \.settings.taskType, .choice),
            .optional("language", \.settings.language, .string),
            .optional("ref_audio", \.settings.refAudio, .oneOrList(of: .string, count: 1 ... .max)),
            .optional("ref_text", \.settings.refText, .string),
            .optional("x_vector_only_mode", \.settings.xVectorOnlyMode, .bool),
            .optional("max_new_tokens", \.settings.maxNewTokens, .integer(1 ... .max)),
            .optional("initial_codec_chunk_frames", \.settings.initialCodecChunkFrames, .integer(0 ... .max)),
            .optional("non_streaming_mode", \.settings.nonStreamingMode, .bool),
        ]
    }
}

/// The reply to a batch: always 200 once the batch itself is valid.
public struct SpeechBatchReply: WireObject {
    public struct Result: WireObject {
        public enum Status: String, CaseIterable, Sendable {
            case success, error
        }

        public var index: Int? = 0
        public var status: Status? = .success
        /// Base64 of the file.
        public var audioData: String?
        public var mediaType: String?
        public var usage: SpeechTokenUsage?
        /// What went wrong, for status `error`.
        public var error: String?

        public init() {}

        public static var fields: [Field<Result>] {
            [
                .always("index", \.index, .integer()), .always("status", \.status, .choice), .optional("audio_data", \.audioData, .string),
                .optional("media_type", \.mediaType, .string), .optional("usage", \.usage, .object()), .optional("error", \.error, .string),
            ]
        }

        public static var schemaName: String { "SpeechBatchResult" }
    }

    /// `speech-batch-` and 16 hexadecimal digits.
    public var id = ""
    /// In the order of the request.
    public var results: [Result] = []

    public init() {}

    public static var fields: [Field<SpeechBatchReply>] {
        [
            .required("id", \.id, .string), .required("results", \.results, .list(of: .object())), .required("total", \.total, .integer()),
            .required("succeeded", \.succeeded, .integer()), .required("failed", \.failed, .integer()),
        ]
    }

    // Counted from the results; what a reply says of them on the wire is not stored.
    private var total: Int {
        get { results.count }
        set {}
    }
    private var succeeded: Int {
        get { results.count { $0.status == .success } }
        set {}
    }
    private var failed: Int {
        get { results.count { $0.status == .error } }
        set {}
    }
}
