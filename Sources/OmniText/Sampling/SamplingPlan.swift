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

    /// Throws ``APIError`` for token ids outside the vocabulary.
    init(_ parameters: SamplingParameters, defaults: SamplingDefaults, vocabulary: Vocabulary) throws {
        temperature = Float(parameters.temperature ?? defaults.temperature)
        topP = Float(parameters.topP ?? defaults.topP)
        topK = max(parameters.topK ?? defaults.topK, 0)
        minP = Float(parameters.minP ?? defaults.minP)
        frequencyPenalty = Float(parameters.frequencyPenalty)
        presencePenalty = Float(parameters.presencePenalty)
        repetitionPenalty = Float(parameters.repetitionPenalty)
        biases = try parameters.tokenBiases().map { token, bias in
            guard token < vocabulary.count else {
                throw APIError.invalid("body.logit_bias", "logit_bias names the token \(token); the vocabulary has \(vocabulary.count) tokens.")
            }
            return (Token(token), Float(bias))
        }
        biases += vocabulary.suppressedTokens().map { ($0, -.infinity) }
        seed = parameters.seed.map { UInt64(bitPattern: Int64($0)) }
        stop = parameters.stop
        stopTokens = Set(try parameters.stopTokenIDs.map { token in
            guard token < vocabulary.count else {
                throw APIError.invalid("body.stop_token_ids", "stop_token_ids names the token \(token); the vocabulary has \(vocabulary.count) tokens.")
            }
            return Token(token)
        })
        includeStop = parameters.includeStopInOutput
        ignoreEnd = parameters.ignoreEOS
        minTokens = parameters.minTokens
        skipSpecialTokens = parameters.skipSpecialTokens
    }

    var isGreedy: Bool { temperature < 1e-5 }
    var hasPenalties: Bool { frequencyPenalty != 0 || presencePenalty != 0 || repetitionPenalty != 1 }
}

/// What the model's file recommends, and where it is silent what vLLM does.
struct SamplingDefaults: Sendable {
    var temperature = 1.0
    var topP = 1.0
    var topK = 0
    var minP = 0.0

    init() {}

    init(of model: LlamaModel) {
        func number(_ key: String) -> Double? { model.metadata("general.sampling.\(key)").flatMap { Double($0) } }
        temperature = number("temp") ?? temperature
        topP = number("top_p") ?? topP
        topK = number("top_k").flatMap { Int(exactly: $0) } ?? topK
        minP = number("min_p") ?? minP
    }
}
