/// What a streamed transcription sends; `[DONE]` comes last.
public enum TranscriptionStreamEvent: Sendable, Equatable {
    /// What is said next: all of them joined are the transcript.
    case delta(String, logprobs: [TranscriptionLogprob]?)
    /// The same with its times, where `verbose_json` was asked for.
    case segment(Segment)
    case done(Done)

    public struct Segment: WireObject, Equatable {
        public var id = ""
        /// Seconds.
        public var start = 0.0
        public var end = 0.0
        public var text = ""
        /// Empty: nobody tells speakers apart.
        public var speaker = ""

        public init() {}

        public static var schemaName: String { "TranscriptTextSegment" }
        public static var fields: [Field<Segment>] {
            [
                .sent("id", \.id, .string), .sent("start", \.start, .number(), "Seconds."), .sent("end", \.end, .number(), "Seconds."),
                .sent("text", \.text, .string), .sent("speaker", \.speaker, .string, "Empty: no served model tells speakers apart."),
            ]
        }
    }

    public struct Done: WireObject, Equatable {
        public var text = ""
        public var languages: [DetectedLanguage]?
        public var logprobs: [TranscriptionLogprob]?
        public var usage: TranscriptionUsage?

        public init() {}

        public static var schemaName: String { "TranscriptTextDone" }
        public static var fields: [Field<Done>] {
            [
                .sent("text", \.text, .string), .optional("languages", \.languages, .list(of: .object())),
                .optional("logprobs", \.logprobs, .list(of: .object())), .optional("usage", \.usage, .object()),
            ]
        }
    }

    public var name: String {
        switch self {
        case .delta: "transcript.text.delta"
        case .segment: "transcript.text.segment"
        case .done: "transcript.text.done"
        }
    }

    /// The `data:` line.
    public var json: JSONValue {
        var object = JSONObject([("type", .string(name))])
        switch self {
        case .delta(let text, let logprobs):
            object.append("delta", .string(text))
            if let logprobs { object.append("logprobs", .array(logprobs.map(\.json))) }
        case .segment(let segment): for member in segment.json.objectValue?.members ?? [] { object.append(member.key, member.value) }
        case .done(let done): for member in done.json.objectValue?.members ?? [] { object.append(member.key, member.value) }
        }
        return .object(object)
    }

    /// What a `data:` line says. Nil for a type that is not known, which a reader passes over.
    ///
    /// - Throws: ``APIError`` 400 where a known type lacks its members.
    public init?(json: JSONValue) throws {
        let path = WirePath.root("event")
        switch json["type"]?.stringValue {
        case "transcript.text.delta":
            guard let text = json["delta"]?.stringValue else { throw APIError.field(path.appending("delta"), "must be a string.") }
            let logprobs = try json["logprobs"].map {
                try WireType<[TranscriptionLogprob]>.list(of: .object()).orNull().decode($0, path.appending("logprobs"))
            }
            self = .delta(text, logprobs: logprobs ?? nil)
        case "transcript.text.segment": self = .segment(try Segment(json: json, at: path))
        case "transcript.text.done": self = .done(try Done(json: json, at: path))
        default: return nil
        }
    }

    /// JSON Schema of the `data:` lines.
    public static var schema: JSONValue {
        func event(_ name: String, _ members: JSONValue) -> JSONValue {
            var properties = JSONObject([("type", ["const": .string(name)])])
            for member in members["properties"]?.objectValue?.members ?? [] { properties.append(member.key, member.value) }
            let required = [JSONValue.string("type")] + (members["required"]?.arrayValue ?? [])
            return .object(JSONObject([("type", "object"), ("required", .array(required)), ("properties", .object(properties))]))
        }
        let delta: JSONValue = ["properties": ["delta": ["type": "string"]], "required": ["delta"]]
        return [
            "oneOf": [
                event("transcript.text.delta", delta), event("transcript.text.segment", Segment.schema),
                event("transcript.text.done", Done.schema),
            ]
        ]
    }
}
