/// How a talker chooses the codes of a spoken answer: the second object of `sampling_params_list`.
public struct TalkerSampling: WireObject, Equatable {
    public var temperature: Double?
    public var topP: Double?
    public var topK: Int?
    public var repetitionPenalty: Double?
    public var seed: Int?
    public var maxTokens: Int?

    public init() {}

    public static var fields: [Field<TalkerSampling>] {
        [
            .optional("temperature", \.temperature, .number(SamplingParameters.temperatures), "0 is greedy; 0.9 when absent."),
            .optional("top_p", \.topP, .number(0...1, above: 0), "0.8 when absent."),
            .optional("top_k", \.topK, .integer(-1 ... .max), "0 and -1 keep all; 40 when absent."),
            .optional(
                "repetition_penalty", \.repetitionPenalty, .number(SamplingParameters.repetitionPenalties, above: 0), "1.05 when absent."),
            .optional("seed", \.seed, .integer(), "The same seed and request give the same sound."),
            .optional("max_tokens", \.maxTokens, .integer(1 ... .max), "Most codes: 50 make a second. At most 4096 are made."),
        ]
    }
}

/// How sound is made of a talker's codes: fields of a chat, of its `extra_body`, or of the third object of `sampling_params_list`.
public struct CodecParameters: WireObject, Equatable {
    public var steps: Int?
    public var guidance: Double?
    public var solver: String?
    public var seed: Int?

    public init() {}

    public static var fields: [Field<CodecParameters>] {
        [
            .optional("token2wav_steps", \.steps, .integer(1...100), "Steps of the solver: fewer are faster."),
            .optional("token2wav_guidance", \.guidance, .number(0...10), "0 leaves guidance out, in half the time."),
            .optional("token2wav_solver", \.solver, .string, "rk4 or euler."),
            .optional("token2wav_seed", \.seed, .integer(), "Of the noise that sound is made of."),
        ]
    }
}
