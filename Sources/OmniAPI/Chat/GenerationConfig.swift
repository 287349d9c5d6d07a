/// How tokens are chosen where a request does not say: the part of transformers' `generation_config.json` that vLLM reads.
public struct GenerationConfig: WireObject, Equatable {
    public var temperature: Double?
    public var topP: Double?
    /// 0 and -1 keep all tokens.
    public var topK: Int?
    public var minP: Double?
    public var repetitionPenalty: Double?
    /// Most tokens of an answer.
    public var maxNewTokens: Int?

    public init() {}

    public static var fields: [Field<GenerationConfig>] {
        [
            .optional("temperature", \.temperature, .number(SamplingParameters.temperatures)),
            .optional("top_p", \.topP, .number(0...1, above: 0)),
            .optional("top_k", \.topK, .integer(-1 ... .max)),
            .optional("min_p", \.minP, .number(0...1)),
            .optional("repetition_penalty", \.repetitionPenalty, .number(SamplingParameters.repetitionPenalties, above: 0)),
            .optional("max_new_tokens", \.maxNewTokens, .integer(1 ... .max)),
        ]
    }

    /// These values, and where they are silent those of `other`.
    public func over(_ other: GenerationConfig) -> GenerationConfig {
        var merged = self
        merged.temperature = temperature ?? other.temperature
        merged.topP = topP ?? other.topP
        merged.topK = topK ?? other.topK
        merged.minP = minP ?? other.minP
        merged.repetitionPenalty = repetitionPenalty ?? other.repetitionPenalty
        merged.maxNewTokens = maxNewTokens ?? other.maxNewTokens
        return merged
    }
}
