import OmniAPI
import OmniEngine
import OmniLlama

/// A request as the engine's thread takes it: tokens and plain values, nothing left that can be wrong.
struct GenerationRequest: Sendable {
    typealias Events = AsyncThrowingStream<TextEvent, any Error>

    var prompts: [Prompt]
    /// Answers per prompt.
    var choices = 1
    var plan: SamplingPlan
    /// One for each answer, or none.
    var grammars: [Grammar] = []
    /// Most tokens per answer.
    var maxTokens: Int
    /// Send the prompt's text first.
    var echo = false
    /// Control tokens whose text is wanted all the same: the marks of tool calls.
    var preserved: Set<Token> = []
    /// Texts that end an answer without the client having asked for it.
    var templateStops: [String] = []
    var scope: RequestScope
    var events: Events.Continuation
    var arrived = ContinuousClock.now

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
    }
}
