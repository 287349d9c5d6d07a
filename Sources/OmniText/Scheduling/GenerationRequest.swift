import OmniAPI
import OmniEngine
import OmniLlama

/// A request as the engine's thread takes it: tokens and plain values, nothing left that can be wrong.
struct GenerationRequest: Sendable {
    typealias Events = AsyncThrowingStream<TextEvent, any Error>

    var prompts: [Prompt]
    /// Gets the states of every token, so that the answer can be spoken; nil where nobody wants them.
    var feed: ThinkerFeed?
    /// Answers per prompt.
    var choices = 1
    var plan: SamplingPlan
    /// One for each answer, or none.
    var grammars: [Grammar] = []
    /// Most tokens per answer.
    var maxTokens: Int
    /// Send the prompt's text first.
    var echo = false
    /// Say with each piece of text how many tokens there are so far.
    var countsTokens = false
    /// Control tokens whose text is wanted all the same: the marks of tool calls.
    var preserved: Set<Token> = []
    /// Texts that end an answer without the client having asked for it.
    var templateStops: [String] = []
    /// Tokens that the client expects the answer to have; nil where it says nothing.
    var expected: [Token]?
    var scope: RequestScope
    var events: Events.Continuation
    var arrived = ContinuousClock.now
    let departure = Departure()

    var prediction: [Token] { expected ?? [] }
    var sequenceCount: Int { prompts.count * choices }
    /// Logprobs of the prompt itself are wanted, so that all of it must be computed.
    var scoresPrompt: Bool { echo && plan.logprobs != nil }
}

/// The answers to one request, counted until the last is done. Owned by the engine's thread.
final class RequestGroup {
    let request: GenerationRequest
    var usage: Usage
    var open: Int
    var admitted = false
    var answered = false

    init(_ request: GenerationRequest) {
        self.request = request
        open = request.sequenceCount
        usage = Usage(promptTokens: request.prompts.reduce(0) { $0 + $1.tokens.count })
        if request.expected != nil { usage.prediction = Usage.Prediction() }
    }

    /// A guessed token was the one that came, or not, for a client that wants to know how its prediction fares.
    func countPrediction(wasRight: Bool) {
        guard usage.prediction != nil else { return }
        if wasRight { usage.prediction?.accepted += 1 } else { usage.prediction?.rejected += 1 }
    }
}
