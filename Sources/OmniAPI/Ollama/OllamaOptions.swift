/// `options` of Ollama's requests, as far as they have a meaning here.
public struct OllamaOptions: WireObject, Equatable {
    /// Most tokens of the answer; below 0 is no limit.
    public var predict: Int?
    public var temperature: Double?
    public var topK: Int?
    public var topP: Double?
    public var minP: Double?
    public var seed: Int?
    public var stop: [String] = []
    public var repeatPenalty: Double?
    public var presencePenalty = 0.0
    public var frequencyPenalty = 0.0
    /// Those that say how a model is loaded or sampled by Ollama's runner.
    private var unread: [String] = []

    public init() {}

    public static var fields: [Field<OllamaOptions>] {
        [
            .optional("num_predict", \.predict, .integer(), "Most tokens of the answer; -1 and -2: as many as fit."),
            .optional("temperature", \.temperature, .number(SamplingParameters.temperatures)),
            .optional("top_k", \.topK, .integer(-1 ... .max)), .optional("top_p", \.topP, .number(0...1, above: 0)),
            .optional("min_p", \.minP, .number(0...1)), .optional("seed", \.seed, .integer()),
            .with(default: [], "stop", \.stop, .stopWords),
            .optional("repeat_penalty", \.repeatPenalty, .number(SamplingParameters.repetitionPenalties, above: 0)),
            .with(default: 0, "presence_penalty", \.presencePenalty, .number(-2...2)),
            .with(default: 0, "frequency_penalty", \.frequencyPenalty, .number(-2...2)),
        ]
    }

    /// The same for a chat or a completion.
    public var sampling: SamplingParameters {
        var sampling = SamplingParameters()
        (sampling.temperature, sampling.topK, sampling.topP, sampling.minP) = (temperature, topK, topP, minP)
        (sampling.seed, sampling.stop, sampling.repetitionPenalty) = (seed, stop, repeatPenalty)
        (sampling.presencePenalty, sampling.frequencyPenalty) = (presencePenalty, frequencyPenalty)
        return sampling
    }

    /// Nil for no limit.
    public var tokenLimit: Int? { predict.flatMap { $0 > 0 ? $0 : nil } }

    /// The options with the names of those that have no meaning here.
    static let wire = WireType<OllamaOptions>(
        decode: { json, path in
            var ignored = IgnoredFields()
            var options = try OllamaOptions(json: json, at: path, ignored: &ignored)
            options.unread = ignored.names.map { "options.\($0)" }
            return options
        }, encode: \.json, schema: WireType<OllamaOptions>.object().schema)

    var withoutMeaning: [String] { unread }
}

/// `think` of Ollama's requests: whether a model that can thinks first, or how much.
public enum OllamaThinking: Sendable, Equatable {
    case on(Bool)
    /// `low`, `medium` or `high`.
    case effort(String)

    static let wire = WireType<OllamaThinking>(
        decode: { json, path in
            if let flag = json.boolValue { return .on(flag) }
            guard let effort = json.stringValue, ["low", "medium", "high"].contains(effort) else {
                throw APIError.field(path, "must be true, false, low, medium or high.")
            }
            return .effort(effort)
        },
        encode: { thinking in
            switch thinking {
            case .on(let flag): .bool(flag)
            case .effort(let effort): .string(effort)
            }
        }, schema: { ["oneOf": [["type": "boolean"], ["type": "string", "enum": ["low", "medium", "high"]]]] })
}

/// `format` of Ollama's requests: `json`, or a JSON Schema.
public enum OllamaFormat: Sendable, Equatable {
    case json
    case schema(JSONObject)

    static let wire = WireType<OllamaFormat?>(
        decode: { json, path in
            switch json {
            case .string(""), .null: return nil
            case .string("json"): return .json
            case .object(let schema): return .schema(schema)
            default: throw APIError.field(path, "must be json or a JSON Schema.")
            }
        },
        encode: { format in
            switch format {
            case nil: .null
            case .json: "json"
            case .schema(let schema): .object(schema)
            }
        }, schema: { ["oneOf": [["type": "string", "enum": ["", "json"]], ["type": "object", "additionalProperties": true]]] })

    public var response: ResponseFormat {
        switch self {
        case .json: .jsonObject
        case .schema(let schema): .jsonSchema(name: "answer", schema: schema)
        }
    }
}
