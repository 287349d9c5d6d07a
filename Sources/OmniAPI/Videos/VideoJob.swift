/// A video job as clients see it: OpenAI's members, the peer's, and ours (`stage` to `eta_seconds`).
public struct VideoJob: WireObject, Equatable {
    public var model = ""
    public var prompt: String?
    /// `video_gen_` and 32 hexadecimal digits.
    public var id = ""
    public var status = VideoStatus.queued
    /// As it was asked for; null when it was left to the model.
    public var size: String?
    /// Percent, 0…100; never falls unless the work had to begin again.
    public var progress = 0
    /// Whole seconds of the clip, as text.
    public var seconds: String? = "4"
    public var quality: String? = "default"
    /// Seconds since 1970, like all times here.
    public var completedAt: Int?
    public var createdAt = 0
    public var error: VideoJobError?
    public var mediaType: String? = "video/mp4"
    /// When the result is removed.
    public var expiresAt: Int?
    public var fileName: String?
    /// Seconds of work.
    public var inferenceSeconds: Double?
    public var fps: Double?
    public var frames: Int?
    /// Seconds of the clip.
    public var duration: Double?
    public var metrics: JSONObject?
    /// Seconds that each stage took.
    public var stageDurations: JSONObject? = JSONObject()
    /// MiB, of the worker.
    public var peakMemory: Double? = 0
    /// What is being done: `queued`, `load`, `encode`, `denoise`, `decode`, `mux`; null once it is over.
    public var stage: String?
    /// Of `steps` of the stage, how many are done.
    public var step: Int?
    public var steps: Int?
    /// Jobs of the same model that come first; 0 is next. Null unless queued.
    public var queuePosition: Int?
    /// A guess of the seconds until the job is over, from how fast it and earlier ones went; null until there is ground for one.
    public var etaSeconds: Double?
    /// What differs from what was asked, as sentences; absent when nothing does.
    public var note: String?

    public init() {}

    /// Made once: lists hold thousands.
    public static let fields: [Field<VideoJob>] = [
        .required("model", \.model, .string), .always("prompt", \.prompt, .string), .required("id", \.id, .string),
        .constant("object", "video"),
        .required("status", \.status, .choice), .always("size", \.size, .string),
        .required("progress", \.progress, .integer(0...100), "Percent."),
        .always("seconds", \.seconds, .string, "Whole seconds of the clip."), .always("quality", \.quality, .string),
        .always("completed_at", \.completedAt, .integer()), .required("created_at", \.createdAt, .integer()),
        .null("remixed_from_video_id"),
        .always("error", \.error, .object()), .always("media_type", \.mediaType, .string), .always("expires_at", \.expiresAt, .integer()),
        .always("file_name", \.fileName, .string), .always("inference_time_s", \.inferenceSeconds, .number()),
        .always("fps", \.fps, .number()),
        .always("num_frames", \.frames, .integer()), .always("duration_s", \.duration, .number()),
        .always("metrics", \.metrics, .openObject),
        .always("stage_durations", \.stageDurations, .openObject, "Seconds that each stage took."),
        .always("peak_memory_mb", \.peakMemory, .number()),
        .null("action"),
        .always("stage", \.stage, .string, "What is being done: queued, load, encode, denoise, decode or mux."),
        .always("step", \.step, .integer()), .always("steps", \.steps, .integer(), "Steps of the stage."),
        .always("queue_position", \.queuePosition, .integer(), "Jobs of the same model that come first."),
        .always("eta_seconds", \.etaSeconds, .number(), "A guess of the seconds until the job is over."),
        .optional("note", \.note, .string, "What differs from what was asked."),
    ]
}

public enum VideoStatus: String, CaseIterable, Sendable {
    case queued
    case inProgress = "in_progress"
    case completed, failed

    /// Whether the job will change no more.
    public var isOver: Bool { self == .completed || self == .failed }
}

/// Why a job failed.
public struct VideoJobError: WireObject, Equatable {
    /// An HTTP status, as vLLM-Omni has it: 400 for what is wrong with the request, 507 for what does not fit, 500 else.
    public var code = 500
    public var message = ""

    public init() {}

    public init(code: Int, message: String) {
        self.code = code
        self.message = message
    }

    public static var fields: [Field<VideoJobError>] {
        [.required("code", \.code, .errorStatus, "An HTTP status."), .required("message", \.message, .string)]
    }
}

extension WireType where Value == Int {
    /// A number. OpenAI's server has a word in its place, which counts as 500.
    fileprivate static var errorStatus: WireType {
        let number = WireType.integer()
        return WireType(
            decode: { json, path in try json.stringValue.map { Int($0) ?? 500 } ?? number.decode(json, path) }, encode: number.encode,
            schema: number.schema)
    }
}

extension Field {
    /// A member with one value.
    static func constant(_ name: String, _ value: String) -> Field {
        Field(
            name: name, aliases: [], isRequired: false, decode: { _, _, _ in }, encode: { _ in .string(value) },
            schema: { ["type": "string", "const": .string(value)] })
    }

    /// A member that is always null.
    static func null(_ name: String) -> Field {
        Field(
            name: name, aliases: [], isRequired: false, decode: { _, _, _ in }, encode: { _ in JSONValue.null },
            schema: { ["type": "null"] })
    }
}
