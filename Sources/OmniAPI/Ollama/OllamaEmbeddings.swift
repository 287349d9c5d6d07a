/// `POST /api/embed` of Ollama's API.
public struct OllamaEmbedRequest: WireObject {
    public var model = ""
    public var input: [String] = []
    public var truncate = true
    public var dimensions: Int?
    public var options = OllamaOptions()
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<OllamaEmbedRequest>] {
        [
            .with(
                default: "", "model", \.model, .string, "A served model's name, with :latest behind or not; the default one when absent."),
            .with(default: [], "input", \.input, .oneOrList(of: .string, count: 0...2048)),
            .with(default: true, "truncate", \.truncate, .bool, "Shorten texts that are too long; false refuses them."),
            .optional("dimensions", \.dimensions, .integer(1...65536)),
            .with(default: OllamaOptions(), "options", \.options, OllamaOptions.wire), .optional("keep_alive", \.keepAlive, .keepAlive),
        ]
    }

    public var withoutEffect: [String] { options.withoutMeaning }
}

public struct OllamaEmbedReply: WireObject, Equatable {
    public var model = ""
    public var embeddings: [[Float]] = []
    /// Nanoseconds.
    public var totalDuration = 0
    public var loadDuration = 0
    public var promptCount = 0

    public init() {}

    public static var fields: [Field<OllamaEmbedReply>] {
        [
            .sent("model", \.model, .string), .sent("embeddings", \.embeddings, .list(of: .embeddingVector)),
            .sent("total_duration", \.totalDuration, .integer(0 ... .max), "Nanoseconds."),
            .sent("load_duration", \.loadDuration, .integer(0 ... .max)), .sent("prompt_eval_count", \.promptCount, .integer(0 ... .max)),
        ]
    }
}

/// `POST /api/embeddings`, which Ollama had before.
public struct OllamaEmbeddingsRequest: WireObject {
    public var model = ""
    public var prompt = ""
    public var options = OllamaOptions()
    public var keepAlive: KeepAlive?

    public init() {}

    public static var fields: [Field<OllamaEmbeddingsRequest>] {
        [
            .with(
                default: "", "model", \.model, .string, "A served model's name, with :latest behind or not; the default one when absent."),
            .with(default: "", "prompt", \.prompt, .string),
            .with(default: OllamaOptions(), "options", \.options, OllamaOptions.wire), .optional("keep_alive", \.keepAlive, .keepAlive),
        ]
    }

    public var withoutEffect: [String] { options.withoutMeaning }
}

public struct OllamaEmbeddingsReply: WireObject, Equatable {
    public var embedding: [Float] = []

    public init() {}
    public static var fields: [Field<OllamaEmbeddingsReply>] { [.sent("embedding", \.embedding, .embeddingVector)] }
}
