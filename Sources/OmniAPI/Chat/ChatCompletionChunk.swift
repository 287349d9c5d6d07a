/// One event of a streamed chat; `[DONE]` follows the last.
public struct ChatCompletionChunk: WireObject, Equatable {
    public var id = ""
    public var object = "chat.completion.chunk"
    /// Seconds since 1970.
    public var created = 0
    public var model = ""
    /// Empty in the chunk that carries the counts.
    public var choices: [ChatChunkChoice] = []
    public var usage: Usage?
    /// Stands for what has a say in the last bits of the model's numbers.
    public var systemFingerprint: String?
    /// What the chunk brings: `text`, `audio` or `image`.
    public var modality: String?

    public init() {}

    public static var fields: [Field<ChatCompletionChunk>] {
        [
            .sent("id", \.id, .string), .sent("object", \.object, .string), .sent("created", \.created, .integer()),
            .sent("model", \.model, .string),
            .sent("choices", \.choices, .list(of: .object())), .optional("usage", \.usage, .usage),
            .optional("modality", \.modality, .string),
            .optional(
                "system_fingerprint", \.systemFingerprint, .string, "Stands for what has a say in the last bits of the model's numbers."),
        ]
    }

    /// The text that the chunk adds to the first choice; empty for chunks of other kinds.
    public var text: String {
        guard modality == nil || modality == "text", case .text(let text) = choices.first?.delta.content else { return "" }
        return text
    }
}

/// What a chunk adds to one choice.
public struct ChatChunkChoice: WireObject, Equatable {
    public var index = 0
    public var delta = ChatDelta()
    public var logprobs: ChatLogprobs?
    /// On the last chunk of the choice.
    public var finishReason: String?
    public var stopReason: JSONValue?
    public var audioMetadata: AudioMetadata?

    public init() {}

    public static var fields: [Field<ChatChunkChoice>] {
        [
            .sent("index", \.index, .integer()), .sent("delta", \.delta, .object()), .always("logprobs", \.logprobs, .object()),
            .always("finish_reason", \.finishReason, .string), .optional("stop_reason", \.stopReason, .any),
            .optional("audio_metadata", \.audioMetadata, .object()),
        ]
    }
}

/// The piece of a message that a chunk brings.
public struct ChatDelta: WireObject, Equatable {
    public var role: String?
    /// More text; with modality `audio` base64 of a sound file; with `image` the pictures.
    public var content: ChatContent?
    /// Why the model will not answer, bit by bit; from other servers only.
    public var refusal: String?
    public var reasoning: String?
    public var reasoningContent: String?
    public var toolCalls: [ToolCallDelta]?

    public init() {}

    public static var fields: [Field<ChatDelta>] {
        [
            .optional("role", \.role, .string), .optional("content", \.content, .chatContent), .optional("refusal", \.refusal, .string),
            .optional("reasoning", \.reasoning, .string), .optional("reasoning_content", \.reasoningContent, .string),
            .optional("tool_calls", \.toolCalls, .list(of: .object())),
        ]
    }
}

/// A piece of a tool call: its id and name come once, its arguments bit by bit.
public struct ToolCallDelta: WireObject, Equatable {
    public struct Function: WireObject, Equatable {
        public var name: String?
        public var arguments: String?

        public static var schemaName: String { "ToolCallDeltaFunction" }
        public init() {}
        public static var fields: [Field<Function>] { [.optional("name", \.name, .string), .optional("arguments", \.arguments, .string)] }
    }

    /// Which call of the message this belongs to.
    public var index = 0
    public var id: String?
    public var type: String?
    public var function: Function?

    public init() {}

    package init(index: Int, id: String?, name: String?, arguments: String) {
        var function = Function()
        (function.name, function.arguments) = (name, arguments)
        (self.index, self.id, self.function) = (index, id, function)
    }

    public static var fields: [Field<ToolCallDelta>] {
        [
            .sent("index", \.index, .integer()), .optional("id", \.id, .string), .optional("type", \.type, .string),
            .optional("function", \.function, .object()),
        ]
    }
}

extension [ToolCall] {
    /// Most calls of one message: a server elsewhere says of each piece where it belongs.
    private static let most = 1024

    /// Adds a piece to the call that it belongs to. Calls beyond any that a message has are dropped.
    package mutating func join(_ piece: ToolCallDelta) {
        guard (0..<Self.most).contains(piece.index) else { return }
        while count <= piece.index { append(ToolCall()) }
        if let id = piece.id { self[piece.index].id = id }
        if let name = piece.function?.name { self[piece.index].function.name = name }
        self[piece.index].function.arguments += piece.function?.arguments ?? ""
    }
}
