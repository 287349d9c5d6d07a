/// The reply to a chat request that is not streamed.
public struct ChatCompletion: WireObject, Equatable {
    public var id = ""
    public var object = "chat.completion"
    /// Seconds since 1970.
    public var created = 0
    /// The model that answered.
    public var model = ""
    public var choices: [ChatChoice] = []
    public var usage: Usage?
    /// Stands for what has a say in the last bits of the model's numbers.
    public var systemFingerprint: String?
    public var metrics: JSONValue?

    public init() {}

    public static var fields: [Field<ChatCompletion>] {
        [
            .sent("id", \.id, .string), .sent("object", \.object, .string), .sent("created", \.created, .integer(), "Seconds since 1970."),
            .sent("model", \.model, .string), .sent("choices", \.choices, .list(of: .object())), .always("usage", \.usage, .usage),
            .optional("metrics", \.metrics, .any),
            .optional(
                "system_fingerprint", \.systemFingerprint, .string, "Stands for what has a say in the last bits of the model's numbers."),
        ]
    }

    /// The text of the first choice; empty where it has none.
    public var text: String { choices.first?.message.content?.text ?? "" }
}

/// One answer of a ``ChatCompletion``.
public struct ChatChoice: WireObject, Equatable {
    public var index = 0
    public var message = ChatAnswerMessage()
    public var logprobs: ChatLogprobs?
    /// `stop`, `length`, `tool_calls` or `content_filter`; other servers know others.
    public var finishReason: String?
    /// The stop text or token that ended the answer.
    public var stopReason: JSONValue?
    public var audioMetadata: AudioMetadata?

    public init() {}

    public static var fields: [Field<ChatChoice>] {
        [
            .sent("index", \.index, .integer()), .sent("message", \.message, .object()), .always("logprobs", \.logprobs, .object()),
            .always("finish_reason", \.finishReason, .string, "stop, length, tool_calls or content_filter."),
            .always("stop_reason", \.stopReason, .any),
            .optional("audio_metadata", \.audioMetadata, .object()),
        ]
    }
}

/// What the model says.
public struct ChatAnswerMessage: WireObject, Equatable {
    public var role = "assistant"
    /// Text; from a model that draws, parts with its pictures as `data:` URLs.
    public var content: ChatContent?
    public var refusal: String?
    /// The answer as sound, where `modalities` asked for it.
    public var audio: ChatAudio?
    public var reasoning: String?
    public var reasoningContent: String?
    public var toolCalls: [ToolCall]?

    public init() {}

    public static var fields: [Field<ChatAnswerMessage>] {
        [
            .sent("role", \.role, .string), .always("content", \.content, .chatContent), .always("refusal", \.refusal, .string),
            .always("audio", \.audio, .object()), .always("reasoning", \.reasoning, .string),
            .optional("reasoning_content", \.reasoningContent, .string),
            .optional("tool_calls", \.toolCalls, .list(of: .object())),
        ]
    }

    /// The `data:` URLs of the pictures in the answer.
    public var pictures: [String] {
        guard case .parts(let parts) = content else { return [] }
        return parts.compactMap { if case .image(let url) = $0 { url } else { nil } }
    }
}

/// A spoken answer.
public struct ChatAudio: WireObject, Equatable {
    public var id = ""
    /// Base64 of a sound file.
    public var data = ""
    /// Seconds since 1970.
    public var expiresAt: Int?
    public var transcript: String?

    public init() {}

    public static var fields: [Field<ChatAudio>] {
        [
            .sent("id", \.id, .string), .sent("data", \.data, .string, "Base64 of a sound file."),
            .always("expires_at", \.expiresAt, .integer()),
            .always("transcript", \.transcript, .string),
        ]
    }
}

/// What a player needs to know of a sound.
public struct AudioMetadata: WireObject, Equatable {
    public var format: String? = "wav"
    /// Hz.
    public var sampleRate: Int?
    /// Samples of one channel.
    public var frameCount: Int?
    public var channels: Int? = 1

    public init() {}

    public static var fields: [Field<AudioMetadata>] {
        [
            .always("format", \.format, .string), .always("sample_rate_hz", \.sampleRate, .integer()),
            .always("frame_count", \.frameCount, .integer()),
            .always("channels", \.channels, .integer()),
        ]
    }
}

/// The probabilities of an answer's tokens.
public struct ChatLogprobs: WireObject, Equatable {
    public var content: [TokenLogprob]?

    public init() {}
    public static var fields: [Field<ChatLogprobs>] { [.always("content", \.content, .list(of: .tokenLogprob))] }
}
