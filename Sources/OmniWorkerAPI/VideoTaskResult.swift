import OmniAPI

/// What a finished task made.
public struct VideoTaskResult: WireObject, Equatable {
    /// Names in the job's folder.
    public var clip = ""
    public var thumbnail: String?
    public var bytes = 0
    public var width = 0
    public var height = 0
    public var frames = 0
    public var fps = 0.0
    public var seconds = 0.0
    public var inferenceSeconds = 0.0
    public var stageDurations = JSONObject()
    public var peakMemory = 0.0
    public var metrics: JSONObject?
    /// What differs from what was asked.
    public var note: String?
    /// The files' time was over; the gateway's to say.
    public var isExpired = false

    /// Names of the files in the job's folder.
    public var files: Set<String> { Set([clip, thumbnail].compactMap(\.self)) }

    public init() {}

    /// Made once: lists hold thousands.
    public static let fields: [Field<VideoTaskResult>] = [
        .required("clip", \.clip, .string), .optional("thumbnail", \.thumbnail, .string), .required("bytes", \.bytes, .integer()),
        .required("width", \.width, .integer()), .required("height", \.height, .integer()), .required("frames", \.frames, .integer()),
        .required("fps", \.fps, .number()), .required("seconds", \.seconds, .number()),
        .required("inference_seconds", \.inferenceSeconds, .number()),
        .required("stage_durations", \.stageDurations, .openObject), .required("peak_memory_mb", \.peakMemory, .number()),
        .optional("metrics", \.metrics, .openObject), .optional("note", \.note, .string),
        .with(default: false, "expired", \.isExpired, .bool),
    ]
}
