import OmniAPI

/// A worker's account of itself: the reply of ``WorkerProtocol/statusPath``.
public struct WorkerStatus: WireObject, Equatable {
    public enum State: String, Sendable, CaseIterable {
        case loading, ready, failed
    }

    /// ``WorkerProtocol/version`` of the one who wrote this; 0 from before there was one.
    public var protocolVersion = 0
    public var state = State.loading
    /// Of loading, 0 to 1.
    public var progress: Double?
    /// Why it cannot serve.
    public var reason: String?
    /// `text`, `image` …; once it is ready, as all that follows.
    public var kind: String?
    /// Names of what it can do: `chat`, `images` …
    public var capabilities: [String] = []
    /// Longest prompt and answer together, tokens.
    public var maxModelLength: Int?
    /// Parts besides text that a prompt may hold.
    public var inputParts: [String] = []
    /// Names of a speech model's own voices, and whether it can imitate others.
    public var voices: [String] = []
    public var clonesVoices = false
    /// Hz of a speech model's own sound.
    public var sampleRate: Int?
    /// What a video model can generate, without memory estimates.
    public var video: VideoCapabilities?
    /// What the model has set aside.
    public var memoryBytes: Int?
    /// Seconds since the engine last finished a step while it had work.
    public var stalledSeconds: Double?

    public init() {}

    /// Of the version of this program.
    public init(state: State) {
        protocolVersion = WorkerProtocol.version
        self.state = state
    }

    public static var fields: [Field<WorkerStatus>] {
        [
            .sent("protocol_version", \.protocolVersion, .integer(0 ... .max)), .sent("state", \.state, .choice),
            .optional("progress", \.progress, .number(0...1)), .optional("reason", \.reason, .string), .optional("kind", \.kind, .string),
            .with(default: [], "capabilities", \.capabilities, .list(of: .string)),
            .optional("max_model_len", \.maxModelLength, .integer(0 ... .max)),
            .with(default: [], "input_parts", \.inputParts, .list(of: .string)),
            .with(default: [], "voices", \.voices, .list(of: .string)), .with(default: false, "clones_voices", \.clonesVoices, .bool),
            .optional("sample_rate", \.sampleRate, .integer(1 ... .max)), .optional("video", \.video, .object()),
            .optional("memory_bytes", \.memoryBytes, .integer(0 ... .max)),
            .optional("stalled_seconds", \.stalledSeconds, .number(0 ... .greatestFiniteMagnitude)),
        ]
    }

    /// Reads only the version: what else a status of another version holds may have changed its meaning.
    public static func version(of json: JSONValue) -> Int { json["protocol_version"]?.intValue ?? 0 }
}
