/// What a client says on the WebSocket `/v1/audio/speech/stream`.
public enum SpeechSessionMessage: Sendable {
    /// Must come first; may come again between utterances.
    case config(SpeechSessionConfig)
    case text(String)
    /// Speak what is left; the connection stays open.
    case done
    case close

    /// Characters of a `session.config`, and of any other message.
    public static let longestConfig = 4 << 20
    public static let longestMessage = 128 << 10
    /// Characters of one utterance.
    public static let longestUtterance = 200_000

    /// Reads one text frame. Throws ``APIError`` 400 with the words for the `error` message.
    public init(frame: String) throws {
        let json: JSONValue
        do {
            json = try JSONValue.parse(frame)
        } catch {
            throw APIError(.badRequest, "Invalid JSON")
        }
        guard json.objectValue != nil else { throw APIError(.badRequest, "Messages must be JSON objects") }
        let type = json["type"]?.stringValue
        guard frame.unicodeScalars.count <= (type == "session.config" ? Self.longestConfig : Self.longestMessage) else {
            throw APIError(.tooLarge, "\(type ?? "The") message too large")
        }
        switch type {
        case "session.config": self = .config(try SpeechSessionConfig(json: json, at: .root("session.config")))
        case "input.text":
            guard let text = json["text"]?.stringValue else { throw APIError(.badRequest, "input.text must have a string 'text'") }
            self = .text(text)
        case "input.done": self = .done
        case "session.close": self = .close
        default: throw APIError(.badRequest, "Unknown message type: \(json["type"]?.jsonText ?? "none")")
        }
    }
}

/// Where text is cut into units for speech.
public enum SplitGranularity: String, Sendable, CaseIterable {
    /// Only where the text ends.
    case none
    case sentence
    /// Also at commas and semicolons.
    case clause
}

/// How the utterances of a session are spoken.
public struct SpeechSessionConfig: WireObject {
    /// Its fields `input`, `stream` and the like are not used: text comes later, the rest is in ``splitGranularity`` and ``streamAudio``.
    public var request = SpeechRequest()
    /// Sound in pieces of PCM instead of one file per unit.
    public var streamAudio = false
    public var splitGranularity = SplitGranularity.none

    public init() {}

    public static var fields: [Field<SpeechSessionConfig>] {
        [
            .optional("model", \.request.model, .string),
            .optional("voice", \.request.voice, .string, aliases: ["speaker"]),
            .optional("task_type", \.request.taskType, .choice),
            .optional("language", \.request.language, .string),
            .optional("instructions", \.request.instructions, .string(length: 0...SpeechRequest.longestInstructions)),
            .with(default: .wav, "response_format", \.request.responseFormat, .choice),
            .with(default: 1, "speed", \.request.speed, .speechSpeed),
            .optional(
                "sample_rate", \.request.sampleRate, .integer(1 ... .max), "Hz; when not given the model's own, and 24000 for `pcm`."),
            .optional("max_new_tokens", \.request.maxNewTokens, .integer(1 ... .max)),
            .optional("initial_codec_chunk_frames", \.request.initialCodecChunkFrames, .integer(0 ... .max)),
            .optional("non_streaming_mode", \.request.nonStreamingMode, .bool),
            .with(default: [], "ref_audio", \.request.refAudio, .references),
            .optional("ref_text", \.request.refText, .string),
            .optional("x_vector_only_mode", \.request.xVectorOnlyMode, .bool),
            .optional("speaker_embedding", \.request.speakerEmbedding, .speakerEmbedding),
            .with(default: false, "stream_audio", \.streamAudio, .bool),
            .with(default: false, "word_timestamps", \.request.wordTimestamps, .bool),
            .optional("seed", \.request.seed, .integer()),
            .with(default: .none, "split_granularity", \.splitGranularity, .choice, "Where text is cut into units while it arrives."),
        ]
    }

    /// Sound in pieces needs a format without a header. Speed keeps the pitch while streaming too, so any speed is taken.
    public func validate(at path: WirePath) throws {
        if streamAudio, request.responseFormat != .pcm {
            throw APIError.field(
                path.appending("stream_audio"), "needs `response_format: \"pcm\"`, not \(request.responseFormat.rawValue).")
        }
        if request.speakerEmbedding != nil, !request.refAudio.isEmpty {
            throw APIError.field(path, "speaker_embedding and ref_audio exclude each other.")
        }
    }
}

/// What the server says on the WebSocket, besides binary frames of sound.
public enum SpeechSessionEvent: Sendable {
    /// A unit begins. `sampleRate` in Hz only with `stream_audio`.
    case audioStart(utterance: Int, sentence: Int, text: String, format: AudioFormat, sampleRate: Int?)
    case audioDone(utterance: Int, sentence: Int, totalBytes: Int, failed: Bool)
    /// All units of an utterance were sent; the connection stays open.
    case sessionDone(utterance: Int, totalSentences: Int)
    /// `partialAudio`: sound of the unit was sent before, and should be thrown away.
    case error(String, partialAudio: Bool = false)

    public var json: JSONValue {
        switch self {
        case .audioStart(let utterance, let sentence, let text, let format, let sampleRate):
            var object = JSONObject([
                ("type", "audio.start"), ("utterance_index", .int(utterance)), ("sentence_index", .int(sentence)),
                ("sentence_text", .string(text)),
                ("format", .string(format.rawValue)),
            ])
            if let sampleRate { object.append("sample_rate", .int(sampleRate)) }
            return .object(object)
        case .audioDone(let utterance, let sentence, let totalBytes, let failed):
            return [
                "type": "audio.done", "utterance_index": .int(utterance), "sentence_index": .int(sentence), "total_bytes": .int(totalBytes),
                "error": .bool(failed),
            ]
        case .sessionDone(let utterance, let totalSentences):
            return ["type": "session.done", "utterance_index": .int(utterance), "total_sentences": .int(totalSentences)]
        case .error(let message, let partialAudio):
            var object = JSONObject([("type", "error"), ("message", .string(message))])
            if partialAudio {
                object.append("partial_audio", true)
                object.append("action", "discard")
            }
            return .object(object)
        }
    }
}
