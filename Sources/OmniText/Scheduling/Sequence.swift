import OmniAPI
import OmniEngine
import OmniLlama

/// One answer in the making: its tokens so far, how many of them the KV cache holds, and what turns logits into text.
///
/// There is no difference between a prompt, a generated token and a sequence that lost its place in the cache: whatever is
/// in `tokens` and not yet evaluated is fed to the model, and whoever has nothing left to feed is sampled.
final class Sequence {
    let group: RequestGroup
    /// The choice's index in the reply.
    let index: Int
    var prompt: Prompt
    let promptCount: Int
    /// How many of the tokens are in the KV cache.
    var evaluated = 0
    var slot: Int?
    /// Tokens at the beginning whose cells belong to another sequence too.
    var shared = 0
    var sampler: TokenSampler
    let grammar: Grammar?
    var assembler: TextAssembler
    /// What may be guessed of it, from its first token on.
    var guesses: Guesses?
    /// What the talker was fed with, of an answer that is spoken.
    var rows: [ThinkerFeed.Row] = []
    /// Logprobs of tokens whose text is held back.
    var heldLogprobs: [TokenLogprob] = []
    /// Tokens of the prompt whose logprobs are known, where they are wanted.
    var promptScores: [TokenLogprob] = []

    init(group: RequestGroup, index: Int, prompt: Prompt, sampler: TokenSampler, grammar: Grammar?) {
        self.group = group
        self.index = index
        self.prompt = prompt
        self.sampler = sampler
        self.grammar = grammar
        promptCount = prompt.tokens.count
        let plan = group.request.plan
        assembler = TextAssembler(stop: plan.stop + group.request.templateStops, includesStop: plan.includeStop)
    }

    var tokens: [Token] { prompt.tokens }
    /// KV cells that this sequence takes by itself once all its tokens are evaluated.
    var ownCells: Int { prompt.tokens.count - shared }
    var pending: Int { prompt.tokens.count - evaluated }
    var generated: Int { prompt.tokens.count - promptCount }
    var isCancelled: Bool { group.request.scope.cancellation.isCancelled }
    var isPrefilling: Bool { pending > 1 }
}
