/// How sound travels in a realtime session. One channel.
public enum RealtimeAudioFormat: String, CaseIterable, Sendable {
    /// 16-bit little-endian samples, 24 kHz.
    case pcm = "audio/pcm"
    /// G.711 µ-law, 8 kHz.
    case pcmu = "audio/pcmu"
    /// G.711 A-law, 8 kHz.
    case pcma = "audio/pcma"

    /// Hz.
    public var sampleRate: Int { self == .pcm ? AudioFormat.pcmRate : 8000 }
    /// Bytes of a sample.
    public var sampleBytes: Int { self == .pcm ? 2 : 1 }

    /// The name in the beta's sessions.
    var betaName: String {
        switch self {
        case .pcm: "pcm16"
        case .pcmu: "g711_ulaw"
        case .pcma: "g711_alaw"
        }
    }

    /// Milliseconds that so many bytes last.
    public func milliseconds(bytes: Int) -> Int { bytes / sampleBytes * 1000 / sampleRate }
    /// Bytes of whole samples that last so long.
    public func bytes(milliseconds: Int) -> Int { milliseconds * sampleRate / 1000 * sampleBytes }
}

extension WireType where Value == RealtimeAudioFormat {
    /// `{"type": "audio/pcm", "rate": 24000}`; the beta's names as text.
    static var realtimeFormat: WireType {
        WireType(
            decode: { json, path in
                let name = json["type"] ?? json
                guard let text = name.stringValue, let format = Value.allCases.first(where: { [$0.rawValue, $0.betaName].contains(text) })
                else {
                    throw APIError.field(
                        path, "must have a `type` of \(Value.allCases.map(\.rawValue).joined(separator: ", ")); not \(name.short).")
                }
                if let rate = json["rate"], !rate.isNull, rate.intValue != format.sampleRate {
                    throw APIError.field(path.appending("rate"), "must be \(format.sampleRate) for \(format.rawValue), not \(rate.short).")
                }
                return format
            },
            encode: { format in
                format == .pcm ? ["type": .string(format.rawValue), "rate": .int(format.sampleRate)] : ["type": .string(format.rawValue)]
            },
            schema: {
                [
                    "type": "object", "required": ["type"],
                    "properties": [
                        "type": ["type": "string", "enum": .array(Value.allCases.map { .string($0.rawValue) })],
                        "rate": ["type": "integer", "enum": [24_000, 8000]],
                    ],
                ]
            })
    }
}

/// How turns of the user's are told from each other.
public struct RealtimeTurnDetection: WireObject, Equatable {
    public enum Kind: String, CaseIterable, Sendable { case serverVAD = "server_vad", semanticVAD = "semantic_vad" }
    public enum Eagerness: String, CaseIterable, Sendable { case low, medium, high, auto }

    public var kind = Kind.serverVAD
    /// Probability from which on sound counts as speech.
    public var threshold = 0.5
    /// Milliseconds.
    public var prefixPadding = 300
    public var silence = 500
    public var idleTimeout: Int?
    public var createsResponse = true
    public var interruptsResponse = true
    public var eagerness = Eagerness.auto

    public init() {}

    public static var fields: [Field<RealtimeTurnDetection>] {
        [
            .sent("type", \.kind, .choice), .sent("threshold", \.threshold, .number(0...1), "From which on sound counts as speech."),
            .sent("prefix_padding_ms", \.prefixPadding, .integer(0...5000), "Sound kept before speech."),
            .sent("silence_duration_ms", \.silence, .integer(20...10_000), "Silence that ends a turn."),
            .always("idle_timeout_ms", \.idleTimeout, .integer(1000...300_000), "Silence after an answer that brings the next one."),
            .sent("create_response", \.createsResponse, .bool, "A turn is answered when it ends."),
            .sent("interrupt_response", \.interruptsResponse, .bool, "Speech ends an answer that is being made."),
            .sent("eagerness", \.eagerness, .choice, "With semantic_vad: how soon a turn counts as over."),
        ]
    }

    /// Milliseconds of silence that end a turn. No model here tells whether a sentence is complete: `semantic_vad` is a silence too.
    public var pause: Int {
        guard kind == .semanticVAD else { return silence }
        return switch eagerness {
        case .high: 400
        case .auto, .medium: 700
        case .low: 1200
        }
    }
}

extension WireType where Value == RealtimeTurnDetection {
    /// Only what its kind has is told.
    static var turnDetection: WireType {
        let object = WireType.object()
        return WireType(
            decode: object.decode,
            encode: { detection in
                var json = detection.json.objectValue ?? JSONObject()
                let foreign =
                    detection.kind == .serverVAD
                    ? ["eagerness"] : ["threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"]
                for name in foreign { json[name] = nil }
                return .object(json)
            },
            schema: {
                var schema = Value.schema.objectValue ?? JSONObject()
                schema["required"] = ["type"]
                return .object(schema)
            })
    }
}

/// How the user's speech is written down.
public struct RealtimeTranscription: WireObject, Equatable {
    public var model: String?
    public var language: String?
    public var prompt: String?

    public init() {}

    public static var fields: [Field<RealtimeTranscription>] {
        [
            .optional("model", \.model, .string), .optional("language", \.language, .string),
            .optional("prompt", \.prompt, .string(length: 0...TranscriptionRequest.longestPrompt)),
        ]
    }
}
