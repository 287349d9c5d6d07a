/// The form of events that a client of realtime sessions speaks.
public enum RealtimeDialect: Sendable, Equatable {
    case current
    /// `OpenAI-Beta: realtime=v1`: flat sessions, and other names of some events.
    case beta

    /// Members that only the beta's sessions have.
    private static let flat: [(beta: String, current: [String])] = [
        ("modalities", ["output_modalities"]), ("max_response_output_tokens", ["max_output_tokens"]),
        ("input_audio_format", ["audio", "input", "format"]), ("input_audio_transcription", ["audio", "input", "transcription"]),
        ("input_audio_noise_reduction", ["audio", "input", "noise_reduction"]), ("turn_detection", ["audio", "input", "turn_detection"]),
        ("output_audio_format", ["audio", "output", "format"]), ("voice", ["audio", "output", "voice"]),
        ("speed", ["audio", "output", "speed"]),
    ]

    private static let events: [(current: String, beta: String)] = [
        ("response.output_audio.delta", "response.audio.delta"), ("response.output_audio.done", "response.audio.done"),
        ("response.output_audio_transcript.delta", "response.audio_transcript.delta"),
        ("response.output_audio_transcript.done", "response.audio_transcript.done"),
        ("response.output_text.delta", "response.text.delta"), ("response.output_text.done", "response.text.done"),
        ("conversation.item.added", "conversation.item.created"),
    ]

    /// Whether a session's settings, or a response's, are written as only the beta has them.
    public static func isBeta(_ settings: JSONObject) -> Bool {
        settings["audio"] == nil && settings["output_modalities"] == nil && flat.contains { settings[$0.beta] != nil }
    }

    /// A client's settings in the form of today.
    public static func current(_ settings: JSONObject) -> JSONObject {
        guard isBeta(settings) else { return settings }
        var result = settings
        for (beta, current) in flat {
            guard let value = settings[beta] else { continue }
            result[beta] = nil
            result.put(value, at: current[...])
        }
        return result
    }

    /// A server's event as the client knows it; nil where it does not.
    public func write(_ event: JSONObject) -> JSONObject? {
        guard self == .beta else { return event }
        // What the beta has no name for.
        if event["type"] == "conversation.item.done" { return nil }
        var event = event
        if let name = Self.events.first(where: { event["type"] == .string($0.current) })?.beta { event["type"] = .string(name) }
        if let session = event["session"]?.objectValue { event["session"] = .object(Self.flattened(session)) }
        if let item = event["item"] { event["item"] = Self.item(item) }
        if var response = event["response"]?.objectValue {
            response = Self.flattened(response)
            response["output"] = .array((response["output"]?.arrayValue ?? []).map(Self.item))
            event["response"] = .object(response)
        }
        return event
    }

    private static func flattened(_ settings: JSONObject) -> JSONObject {
        var result = settings
        for (beta, current) in flat {
            guard var value = settings.value(at: current[...]) else { continue }
            if beta.hasSuffix("format") {
                value = .string(RealtimeAudioFormat.allCases.first { .string($0.rawValue) == value["type"] }?.betaName)
            }
            if beta == "modalities", value == ["audio"] { value = ["text", "audio"] }
            if current.count == 1 { result[current[0]] = nil }
            result[beta] = value
        }
        for name in ["audio", "type"] { result[name] = nil }
        return result
    }

    private static func item(_ item: JSONValue) -> JSONValue {
        guard var object = item.objectValue, object["role"] == "assistant" else { return item }
        object["content"] = .array(
            (object["content"]?.arrayValue ?? []).map { part in
                guard var part = part.objectValue, let type = part["type"]?.stringValue else { return part }
                part["type"] = .string(type.hasPrefix("output_") ? String(type.dropFirst("output_".count)) : type)
                return .object(part)
            })
        return .object(object)
    }
}

extension JSONObject {
    fileprivate func value(at path: ArraySlice<String>) -> JSONValue? {
        guard let first = path.first, let value = self[first] else { return nil }
        return path.count == 1 ? value : value.objectValue?.value(at: path.dropFirst())
    }

    fileprivate mutating func put(_ value: JSONValue, at path: ArraySlice<String>) {
        guard let first = path.first else { return }
        guard path.count > 1 else { return self[first] = value }
        var inner = self[first]?.objectValue ?? JSONObject()
        inner.put(value, at: path.dropFirst())
        self[first] = .object(inner)
    }
}
