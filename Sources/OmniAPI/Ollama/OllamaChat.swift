/// `POST /api/chat` of Ollama's API.
public struct OllamaChatRequest: WireObject {
    public var model = ""
    public var messages: [OllamaMessage] = []
    public var tools: [Tool]?
    public var format: OllamaFormat?
    public var options = OllamaOptions()
    public var stream = true
    public var thinking: OllamaThinking?
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<OllamaChatRequest>] {
        [
            .with(
                default: "", "model", \.model, .string, "A served model's name, with :latest behind or not; the default one when absent."),
            .with(default: [], "messages", \.messages, .list(of: .object()), "None loads the model."),
            .optional("tools", \.tools, .tools), .with(default: nil, "format", \.format, OllamaFormat.wire, "json, or a JSON Schema."),
            .with(default: OllamaOptions(), "options", \.options, OllamaOptions.wire), .with(default: true, "stream", \.stream, .bool),
            .optional("think", \.thinking, OllamaThinking.wire), .optional("keep_alive", \.keepAlive, .keepAlive),
        ]
    }

    public var withoutEffect: [String] { options.withoutMeaning }
}

/// A message of Ollama's API.
public struct OllamaMessage: WireObject, Equatable {
    public enum Role: String, Sendable, CaseIterable {
        case system, user, assistant, tool
    }

    public var role = Role.user
    public var content = ""
    public var thinking: String?
    /// Base64 of pictures.
    public var images: [String]?
    public var toolCalls: [OllamaToolCall]?
    /// On a `tool` message: the function whose result it is.
    public var toolName: String?

    public init() {}

    public static var fields: [Field<OllamaMessage>] {
        [
            .required("role", \.role, .choice), .with(default: "", "content", \.content, .string),
            .optional("thinking", \.thinking, .string),
            .optional("images", \.images, .list(of: .string), "Base64 of pictures."),
            .optional("tool_calls", \.toolCalls, .list(of: .object())), .optional("tool_name", \.toolName, .string),
        ]
    }
}

/// A call of a function, whose arguments are an object.
public struct OllamaToolCall: WireObject, Equatable {
    public struct Function: WireObject, Equatable {
        public var index: Int?
        public var name = ""
        public var arguments = JSONObject()

        public static var schemaName: String { "OllamaFunction" }
        public init() {}

        public static var fields: [Field<Function>] {
            [
                .optional("index", \.index, .integer()), .required("name", \.name, .string),
                .required("arguments", \.arguments, .openObject),
            ]
        }
    }

    public var id: String?
    public var function = Function()

    public init() {}

    public static var fields: [Field<OllamaToolCall>] { [.optional("id", \.id, .string), .required("function", \.function, .object())] }
}

/// `POST /api/generate` of Ollama's API.
public struct OllamaGenerateRequest: WireObject {
    public var model = ""
    public var prompt = ""
    public var suffix = ""
    public var system: String?
    /// Base64 of pictures.
    public var images: [String]?
    /// Without the model's template.
    public var raw = false
    public var format: OllamaFormat?
    public var options = OllamaOptions()
    public var stream = true
    public var thinking: OllamaThinking?
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<OllamaGenerateRequest>] {
        [
            .with(
                default: "", "model", \.model, .string, "A served model's name, with :latest behind or not; the default one when absent."),
            .with(default: "", "prompt", \.prompt, .string, "None loads the model."),
            .with(default: "", "suffix", \.suffix, .string, "Not supported: no served model fills in the middle."),
            .optional("system", \.system, .string), .optional("images", \.images, .list(of: .string), "Base64 of pictures."),
            .with(default: false, "raw", \.raw, .bool, "Without the model's template."),
            .with(default: nil, "format", \.format, OllamaFormat.wire, "json, or a JSON Schema."),
            .with(default: OllamaOptions(), "options", \.options, OllamaOptions.wire), .with(default: true, "stream", \.stream, .bool),
            .optional("think", \.thinking, OllamaThinking.wire), .optional("keep_alive", \.keepAlive, .keepAlive),
        ]
    }

    public var withoutEffect: [String] { options.withoutMeaning }

    public func validate(at path: WirePath) throws {
        guard suffix.isEmpty else {
            throw APIError.field(path.appending("suffix"), "is not supported: no served model fills in the middle.")
        }
    }
}

/// What the model says, or a piece of it.
public struct OllamaAnswerMessage: WireObject, Equatable {
    public var role = "assistant"
    public var content = ""
    public var thinking: String?
    public var toolCalls: [OllamaToolCall]?

    public init() {}

    public static var fields: [Field<OllamaAnswerMessage>] {
        [
            .sent("role", \.role, .string), .sent("content", \.content, .string), .optional("thinking", \.thinking, .string),
            .optional("tool_calls", \.toolCalls, .list(of: .object())),
        ]
    }
}

/// An answer of `/api/chat` and `/api/generate`, whole or one line of a stream.
public struct OllamaAnswer: WireObject, Equatable {
    public var model = ""
    /// RFC 3339.
    public var createdAt = ""
    /// Of `/api/chat`.
    public var message: OllamaAnswerMessage?
    /// Of `/api/generate`.
    public var response: String?
    public var thinking: String?
    public var isDone = false
    /// `stop`, `length`, `load` or `unload`.
    public var doneReason: String?
    /// Nanoseconds, here and below.
    public var totalDuration: Int?
    public var loadDuration: Int?
    public var promptCount: Int?
    public var promptDuration: Int?
    public var count: Int?
    public var duration: Int?

    public init() {}

    public static var fields: [Field<OllamaAnswer>] {
        let number = WireType<Int>.integer(0 ... .max)
        return [
            .sent("model", \.model, .string), .sent("created_at", \.createdAt, .string), .optional("message", \.message, .object()),
            .optional("response", \.response, .string), .optional("thinking", \.thinking, .string), .sent("done", \.isDone, .bool),
            .optional("done_reason", \.doneReason, .string, "stop, length, load or unload."),
            .optional("total_duration", \.totalDuration, number, "Nanoseconds, as all durations."),
            .optional("load_duration", \.loadDuration, number),
            .optional("prompt_eval_count", \.promptCount, number), .optional("prompt_eval_duration", \.promptDuration, number),
            .optional("eval_count", \.count, number), .optional("eval_duration", \.duration, number),
        ]
    }
}
