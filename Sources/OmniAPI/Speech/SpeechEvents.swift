/// Tokens of a synthesis, as its last event and the batch reply tell them.
public struct SpeechTokenUsage: WireObject, Equatable {
    public var inputTokens: Int? = 0
    public var outputTokens: Int? = 0
    /// Of `inputTokens`, those of text; the others are of a sample.
    public var textTokens: Int? = 0

    public init() {}

    public init(inputTokens: Int, outputTokens: Int, audioTokens: Int = 0) {
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        textTokens = inputTokens - audioTokens
    }

    public static var fields: [Field<SpeechTokenUsage>] {
        [
            .always("input_tokens", \.inputTokens, .integer()), .always("output_tokens", \.outputTokens, .integer()),
            .always("total_tokens", \.total, .integer()), .always("input_token_details", \.details, .object()),
        ]
    }

    private var total: Int? {
        get { (inputTokens ?? 0) + (outputTokens ?? 0) }
        set {}
    }

    private var details: Details? {
        get { Details(textTokens: textTokens ?? 0, audioTokens: (inputTokens ?? 0) - (textTokens ?? 0)) }
        set { textTokens = newValue?.textTokens }
    }

    private struct Details: WireObject {
        var textTokens: Int? = 0
        var audioTokens: Int? = 0

        init() {}

        init(textTokens: Int, audioTokens: Int) {
            (self.textTokens, self.audioTokens) = (textTokens, audioTokens)
        }

        static var fields: [Field<Details>] {
            [.always("text_tokens", \.textTokens, .integer()), .always("audio_tokens", \.audioTokens, .integer())]
        }

        static var schemaName: String { "SpeechInputTokenDetails" }
    }
}

/// What a streamed synthesis sends; there is no `[DONE]`.
public enum SpeechStreamEvent: Sendable, Equatable {
    /// The next bytes, in base64. With `wav`, the first are the 44 bytes of the header alone.
    case delta(audio: String, format: AudioFormat)
    case done(SpeechTokenUsage)
    /// Nothing follows. `partialAudio`: sound was sent before, and should be thrown away.
    case error(APIError, partialAudio: Bool)

    /// What a `data:` line says. Nil for a type that is not known, which a reader passes over.
    ///
    /// - Throws: ``APIError`` 400 where a known type lacks its members.
    public init?(json: JSONValue) throws {
        let path = WirePath.root("event")
        switch json["type"]?.stringValue {
        case "speech.audio.delta":
            guard let audio = (json["audio"] ?? json["delta"])?.stringValue else {
                throw APIError.field(path.appending("audio"), "must be a string.")
            }
            self = .delta(audio: audio, format: json["response_format"]?.stringValue.flatMap(AudioFormat.init) ?? .wav)
        case "speech.audio.done": self = .done(try SpeechTokenUsage(json: json["usage"] ?? [:], at: path.appending("usage")))
        case "speech.audio.error":
            let error = json["error"] ?? .null
            let status = error["code"]?.intValue ?? 500
            let code = APIError.Code(name: "stream_error", status: status, type: error["type"]?.stringValue ?? "server_error")
            self = .error(
                APIError(code, error["message"]?.stringValue ?? "Speech generation failed.", param: error["param"]?.stringValue),
                partialAudio: error["partial_audio"]?.boolValue ?? false)
        default: return nil
        }
    }

    /// JSON Schema of the `data:` lines.
    public static var schema: JSONValue {
        func event(_ name: String, _ key: String, _ value: JSONValue) -> JSONValue {
            .object(
                JSONObject([
                    ("type", "object"), ("required", ["type", .string(key)]),
                    ("properties", .object(JSONObject([("type", ["const": .string(name)]), (key, value)]))),
                ]))
        }
        return [
            "oneOf": [
                event("speech.audio.delta", "audio", ["type": "string", "contentEncoding": "base64"]),
                event("speech.audio.done", "usage", WireType<SpeechTokenUsage>.object().schema()),
                event("speech.audio.error", "error", WireType<ErrorDetail>.object().schema()),
            ]
        ]
    }

    /// The `event:` line, also the `type` of the data.
    public var name: String {
        switch self {
        case .delta: "speech.audio.delta"
        case .done: "speech.audio.done"
        case .error: "speech.audio.error"
        }
    }

    /// The `data:` line.
    public var json: JSONValue {
        switch self {
        case .delta(let audio, let format):
            return ["type": .string(name), "audio": .string(audio), "response_format": .string(format.rawValue)]
        case .done(let usage):
            return ["type": .string(name), "usage": usage.json]
        case .error(let error, let partialAudio):
            var body = JSONObject([
                ("message", .string(error.fullMessage)), ("type", .string(error.status >= 500 ? "server_error" : error.type)),
                ("param", .string(error.param)),
                ("code", .int(error.status)),
            ])
            if partialAudio {
                body.append("partial_audio", true)
                body.append("action", "discard")
            }
            return ["type": .string(name), "error": .object(body)]
        }
    }
}
