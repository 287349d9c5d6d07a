/// The reply of `GET /api/tags` and `GET /api/ps` of Ollama's API.
public struct OllamaModelList: WireObject, Equatable {
    public var models: [OllamaModel] = []

    public init() {}
    public static var fields: [Field<OllamaModelList>] { [.sent("models", \.models, .list(of: .object()))] }
}

/// A model of theirs.
public struct OllamaModel: WireObject, Equatable {
    public var name = ""
    public var model = ""
    /// RFC 3339.
    public var modifiedAt: String?
    /// Bytes of its files; of a loaded one what it has set aside.
    public var size = 0
    /// Stands for its files' place, size and time.
    public var digest = ""
    public var details = OllamaDetails()
    /// Of a loaded model, as all below: RFC 3339.
    public var expiresAt: String?
    public var videoMemory: Int?
    public var contextLength: Int?

    public init() {}

    public static var fields: [Field<OllamaModel>] {
        [
            .sent("name", \.name, .string), .sent("model", \.model, .string), .optional("modified_at", \.modifiedAt, .string),
            .sent("size", \.size, .integer(0 ... .max), "Bytes of its files; of a loaded one what it has set aside."),
            .sent("digest", \.digest, .string, "Stands for its files' place, size and time: contents are not read for it."),
            .sent("details", \.details, .object()), .optional("expires_at", \.expiresAt, .string),
            .optional("size_vram", \.videoMemory, .integer(0 ... .max)), .optional("context_length", \.contextLength, .integer(0 ... .max)),
        ]
    }
}

public struct OllamaDetails: WireObject, Equatable {
    public var parentModel = ""
    /// `gguf` or `safetensors`.
    public var format = ""
    public var family = ""
    public var families: [String] = []
    public var parameterSize = ""
    public var quantization = ""

    public init() {}

    public static var fields: [Field<OllamaDetails>] {
        [
            .sent("parent_model", \.parentModel, .string), .sent("format", \.format, .string), .sent("family", \.family, .string),
            .sent("families", \.families, .list(of: .string)), .sent("parameter_size", \.parameterSize, .string),
            .sent("quantization_level", \.quantization, .string),
        ]
    }
}

/// `POST /api/show`.
public struct OllamaShowRequest: WireObject {
    public var model = ""
    public var isVerbose = false

    public init() {}

    public static var fields: [Field<OllamaShowRequest>] {
        [
            .with(default: "", "model", \.model, .string, aliases: ["name"], "A served model's name; the default one when absent."),
            .with(default: false, "verbose", \.isVerbose, .bool, "Not used."),
        ]
    }
}

public struct OllamaShowReply: WireObject, Equatable {
    public var details = OllamaDetails()
    /// `general.architecture` and the length of its context.
    public var modelInfo = JSONObject()
    /// `completion`, `tools`, `vision`, `embedding`.
    public var capabilities: [String] = []
    public var modifiedAt: String?

    public init() {}

    public static var fields: [Field<OllamaShowReply>] {
        [
            .sent("details", \.details, .object()), .sent("model_info", \.modelInfo, .openObject),
            .sent("capabilities", \.capabilities, .list(of: .string)), .optional("modified_at", \.modifiedAt, .string),
        ]
    }
}

/// An error as Ollama's clients read it.
public struct OllamaError: WireObject, Equatable {
    public var error = ""

    public init() {}
    public init(_ error: APIError) { self.error = error.fullMessage }

    public static var fields: [Field<OllamaError>] { [.sent("error", \.error, .string)] }
}
