import OmniAPI
import OmniEngine
import OmniLlama

/// An answer that the talker is to speak: what it is fed with, in whose voice, how codes are chosen, and where they go.
struct TalkerRequest: Sendable {
    let feed: ThinkerFeed
    /// The token of the thinker's vocabulary that begins the voice's speech.
    let voice: Int
    let plan: SamplingPlan
    /// Most codes.
    let maxCodes: Int
    let cancellation: CancellationToken
    /// Takes the codes as they come. An error ends them.
    let codes: BoundedQueue<Token>
    /// For tests: gets the logits of each step.
    var watch: (@Sendable ([Float]) -> Void)?

    /// Most codes of an answer: 82 s.
    static let mostCodes = 4096
}

extension SamplingPlan {
    /// How a talker chooses where a request says nothing: as the model's makers do.
    init(_ speech: SpokenAnswer, tokens: TalkerModel.Tokens) {
        self.init()
        temperature = Float(speech.temperature ?? 0.9)
        topK = max(speech.topK ?? 40, 0)
        topP = Float(speech.topP ?? 0.8)
        repetitionPenalty = Float(speech.repetitionPenalty ?? 1.05)
        biases = [(tokens.start, -.infinity)]
        seed = speech.seed.map { UInt64(bitPattern: Int64($0)) }
    }
}
