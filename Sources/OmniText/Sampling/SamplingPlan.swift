import OmniAPI
import OmniLlama

/// How one request's tokens are chosen, with every default resolved and every id checked.
struct SamplingPlan: Sendable {
    var temperature: Float = 1
    var topP: Float = 1
    /// 0 keeps all.
    var topK = 0
    var minP: Float = 0
    var frequencyPenalty: Float = 0
    var presencePenalty: Float = 0
    var repetitionPenalty: Float = 1
    var biases: [(token: Token, bias: Float)] = []
    var seed: UInt64?
    var stop: [String] = []
    var stopTokens: Set<Token> = []
    var includeStop = false
    var ignoreEnd = false
    var minTokens = 0
    var skipSpecialTokens = true
    /// Number of likeliest tokens to report with each token; nil reports none.
    var logprobs: Int?

    init() {}

    /// What a request leaves open `defaults` decide, and where they are silent vLLM's own. Throws ``APIError`` for token ids
    /// outside the vocabulary.
    init(_ parameters: SamplingParameters, defaults: GenerationConfig, vocabulary: Vocabulary) throws {
        temperature = Float(parameters.temperature ?? defaults.temperature ?? 1)
        topP = Float(parameters.topP ?? defaults.topP ?? 1)
        topK = max(parameters.topK ?? defaults.topK ?? 0, 0)
        minP = Float(parameters.minP ?? defaults.minP ?? 0)
        frequencyPenalty = Float(parameters.frequencyPenalty)
        presencePenalty = Float(parameters.presencePenalty)
        repetitionPenalty = Float(parameters.repetitionPenalty ?? defaults.repetitionPenalty ?? 1)
        biases = try parameters.tokenBiases().map { token, bias in
            guard token < vocabulary.count else {
                throw APIError.invalid(
                    "body.logit_bias", "logit_bias names the token \(token); the vocabulary has \(vocabulary.count) tokens.")
            }
            return (Token(token), Float(bias))
        }
        biases += vocabulary.suppressedTokens().map { ($0, -.infinity) }
        seed = parameters.seed.map { UInt64(bitPattern: Int64($0)) }
        stop = parameters.stop
        stopTokens = Set(
            try parameters.stopTokenIDs.map { token in
                guard token < vocabulary.count else {
                    throw APIError.invalid(
                        "body.stop_token_ids", "stop_token_ids names the token \(token); the vocabulary has \(vocabulary.count) tokens.")
                }
                return Token(token)
            })
        includeStop = parameters.includeStopInOutput
        ignoreEnd = parameters.ignoreEOS
        minTokens = parameters.minTokens
        skipSpecialTokens = parameters.skipSpecialTokens
    }

    var isGreedy: Bool { temperature < 1e-5 }
    /// The same logits give the same tokens again.
    var isRepeatable: Bool { isGreedy || seed != nil }
    var hasPenalties: Bool { frequencyPenalty != 0 || presencePenalty != 0 || repetitionPenalty != 1 }
}
