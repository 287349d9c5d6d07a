/// How tokens are chosen: the fields that chat and plain completions share. Ranges are vLLM's.
public struct SamplingParameters: Sendable, Equatable {
    public var temperature: Double?
    public var topP: Double?
    public var topK: Int?
    public var minP: Double?
    public var frequencyPenalty = 0.0
    public var presencePenalty = 0.0
    public var repetitionPenalty: Double?
    public var logitBias: [String: Double]?
    public var seed: Int?
    public var stop: [String] = []
    public var stopTokenIDs: [Int] = []
    public var includeStopInOutput = false
    public var ignoreEOS = false
    public var minTokens = 0
    public var skipSpecialTokens = true

    public init() {}

    static let temperatures = 0.0...1000
    static let repetitionPenalties = 0.0...1000

    /// Rules that span fields.
    func validate(tokenLimit: Int?, at path: WirePath) throws {
        if let tokenLimit, minTokens > tokenLimit {
            throw APIError.field(path.appending("min_tokens"), "must be at most max_tokens (\(tokenLimit)), not \(minTokens).")
        }
        _ = try tokenBiases()
    }

    /// Biases by token id. Throws for a key that is not a token id.
    public func tokenBiases() throws -> [(token: Int, bias: Double)] {
        try (logitBias ?? [:]).map { key, bias in
            guard let token = Int(key), token >= 0 else {
                throw APIError.field(.body.appending("logit_bias"), "has the key `\(key)`, which is not a token id.")
            }
            return (token, bias)
        }
    }
}

/// Requests that carry ``SamplingParameters``.
public protocol SamplingRequest: WireObject {
    var sampling: SamplingParameters { get set }
}

extension SamplingRequest {
    static func samplingFields(_ path: WritableKeyPath<Self, SamplingParameters> & Sendable) -> [Field<Self>] {
        [
            .optional(
                "temperature", \.sampling.temperature, .number(SamplingParameters.temperatures),
                "0 is greedy; the model's default is used when absent, else 1."),
            .optional(
                "top_p", \.sampling.topP, .number(0...1, above: 0), "Nucleus: the smallest set of tokens with this much probability."),
            .optional("top_k", \.sampling.topK, .integer(-1 ... .max), "Keep the k likeliest tokens; 0 and -1 keep all."),
            .optional("min_p", \.sampling.minP, .number(0...1), "Drop tokens less likely than this fraction of the likeliest."),
            .with(default: 0, "frequency_penalty", \.sampling.frequencyPenalty, .number(-2...2)),
            .with(default: 0, "presence_penalty", \.sampling.presencePenalty, .number(-2...2)),
            .optional(
                "repetition_penalty", \.sampling.repetitionPenalty, .number(SamplingParameters.repetitionPenalties, above: 0),
                "The model's default is used when absent, else 1."),
            .optional("logit_bias", \.sampling.logitBias, .dictionary(of: .number(-100...100)), "Token id to bias, -100 to 100."),
            .optional("seed", \.sampling.seed, .integer(), "The same seed and request give the same answer."),
            .with(default: [], "stop", \.sampling.stop, .stopWords, "Up to 32 texts that end the answer."),
            .with(default: [], "stop_token_ids", \.sampling.stopTokenIDs, .list(of: .integer(0 ... .max))),
            .with(default: false, "include_stop_str_in_output", \.sampling.includeStopInOutput, .bool),
            .with(default: false, "ignore_eos", \.sampling.ignoreEOS, .bool, "Go on past the model's end token."),
            .with(default: 0, "min_tokens", \.sampling.minTokens, .integer(0 ... .max)),
            .with(default: true, "skip_special_tokens", \.sampling.skipSpecialTokens, .bool),
        ]
    }
}

extension WireType where Value == [String] {
    /// One text, a list of up to 32, or null.
    static var stopWords: WireType {
        let inner = WireType<[String]>.oneOrList(of: .string(length: 1...1000), count: 0...32)
        return WireType(decode: { $0.isNull ? [] : try inner.decode($0, $1) }, encode: inner.encode, schema: inner.schema)
    }
}
