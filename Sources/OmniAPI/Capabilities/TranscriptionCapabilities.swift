/// What a model that transcribes can do.
public struct TranscriptionCapabilities: WireObject, Equatable {
    /// ISO 639 codes.
    public var languages: [String] = []
    public var translates = false
    public var formats: [String] = []
    public var granularities: [String] = []
    /// Silence costs nothing, and cuts fall between words.
    public var findsPauses = false
    /// Of a sound file, seconds.
    public var maxSeconds = 0.0
    public var maxFileBytes = 0

    public init() {}

    public static var fields: [Field<TranscriptionCapabilities>] {
        [
            .sent("languages", \.languages, .list(of: .string), "ISO 639 codes of what it writes down."),
            .sent("translates", \.translates, .bool, "It writes English for what is said in any of them."),
            .sent("response_formats", \.formats, .list(of: .string)), .sent("timestamp_granularities", \.granularities, .list(of: .string)),
            .sent(
                "finds_pauses", \.findsPauses, .bool,
                "A voice activity detector is loaded: silence costs nothing, and cuts fall between words."),
            .sent("max_seconds", \.maxSeconds, .number(), "Longest sound."), .sent("max_file_bytes", \.maxFileBytes, .integer(1 ... .max)),
        ]
    }
}
