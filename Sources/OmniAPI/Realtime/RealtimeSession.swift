/// The settings of a realtime session, as `session.update` changes them and `session.created` tells them.
public struct RealtimeSession: WireObject, Equatable {
    public enum Kind: String, CaseIterable, Sendable {
        case realtime
        /// The user's speech is written down and not answered.
        case transcription
    }

    public enum Modality: String, CaseIterable, Sendable { case text, audio }

    public var id: String?
    public var object = "realtime.session"
    public var kind = Kind.realtime
    public var model: String?
    public var modalities: [Modality] = [.audio]
    public var instructions = ""
    public var tools: [ResponseTool] = []
    public var toolChoice = ToolChoice.auto
    /// Nil for as many as fit.
    public var maxOutputTokens: Int?
    public var temperature: Double?
    public var audio = RealtimeAudioSettings()
    /// Seconds since 1970.
    public var expiresAt: Int?

    public init() {}

    public static var fields: [Field<RealtimeSession>] {
        [
            .optional("id", \.id, .string), .sent("object", \.object, .string), .sent("type", \.kind, .choice),
            .optional("model", \.model, .string),
            .sent(
                "output_modalities", \.modalities, .list(of: .choice, count: 1...2), "`audio` is an answer in sound with its transcript."),
            .sent("instructions", \.instructions, .string), .sent("tools", \.tools, .list(of: .object(), count: 0...128)),
            .sent("tool_choice", \.toolChoice, .responseToolChoice),
            .sent("max_output_tokens", \.maxOutputTokens, .tokensOrInfinite), .optional("temperature", \.temperature, .number(0...2)),
            .sent("audio", \.audio, .object()), .optional("expires_at", \.expiresAt, .integer(), "Seconds since 1970."),
        ]
    }

    public func validate(at path: WirePath) throws { try checkTools(tools, toolChoice, at: path) }

    /// Answers are spoken.
    public var speaks: Bool { modalities.contains(.audio) }

    /// The same with some members changed. What is null or not given of an object with further objects stays; other members are replaced
    /// whole. Throws ``APIError`` 400 naming the member, and changes nothing.
    public func updated(with changes: JSONObject, at path: WirePath) throws -> RealtimeSession {
        var changed = try RealtimeSession(json: .object(Self.merge(json.objectValue ?? JSONObject(), changes, depth: 2)), at: path)
        (changed.id, changed.expiresAt) = (id, expiresAt)
        // Such a session has no other purpose.
        if changed.kind == .transcription, changed.audio.input.transcription == nil {
            changed.audio.input.transcription = RealtimeTranscription()
        }
        return changed
    }

    /// `audio`, its `input` and its `output` are changed member by member.
    private static func merge(_ old: JSONObject, _ new: JSONObject, depth: Int) -> JSONObject {
        var merged = old
        for member in new.members {
            if depth > 0, ["audio", "input", "output"].contains(member.key), let inner = member.value.objectValue {
                merged[member.key] = .object(merge(old[member.key]?.objectValue ?? JSONObject(), inner, depth: depth - 1))
            } else {
                merged[member.key] = member.value
            }
        }
        return merged
    }
}

/// Sound of a session, in and out.
public struct RealtimeAudioSettings: WireObject, Equatable {
    public struct Input: WireObject, Equatable {
        public var format = RealtimeAudioFormat.pcm
        /// Whether the session tells what it understood, and how; without it speech is written down all the same, as the model needs it.
        public var transcription: RealtimeTranscription?
        /// Nil: the client says when a turn is over.
        public var turnDetection: RealtimeTurnDetection? = RealtimeTurnDetection()
        public var noiseReduction: JSONValue?

        public init() {}

        public static var schemaName: String { "RealtimeAudioInput" }
        public static var fields: [Field<Input>] {
            [
                .sent("format", \.format, .realtimeFormat), .always("transcription", \.transcription, .object()),
                .always("turn_detection", \.turnDetection, .turnDetection),
                .always("noise_reduction", \.noiseReduction, .any, "Not used."),
            ]
        }
    }

    public struct Output: WireObject, Equatable {
        public var format = RealtimeAudioFormat.pcm
        public var voice: String?
        public var speed = 1.0

        public init() {}

        public static var schemaName: String { "RealtimeAudioOutput" }
        public static var fields: [Field<Output>] {
            [
                .sent("format", \.format, .realtimeFormat), .optional("voice", \.voice, .speechVoice),
                .sent("speed", \.speed, .number(0.25...4)),
            ]
        }
    }

    public var input = Input()
    public var output = Output()

    public init() {}

    public static var fields: [Field<RealtimeAudioSettings>] { [.sent("input", \.input, .object()), .sent("output", \.output, .object())] }
}

extension WireType where Value == Int? {
    /// A number of tokens; `inf` is nil.
    static var tokensOrInfinite: WireType {
        let count = WireType<Int>.integer(1 ... .max)
        return WireType(
            decode: { json, path in json == "inf" ? nil : try count.decode(json, path) }, encode: { $0.map(count.encode) ?? "inf" },
            schema: { ["anyOf": [count.schema(), ["const": "inf"]]] })
    }
}
