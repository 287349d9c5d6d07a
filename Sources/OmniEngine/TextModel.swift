import OmniAPI

/// A model that answers in text.
public protocol TextModel: ServedModel {
    /// Starts an answer. Throws ``APIError`` for what is wrong with the request (413 when the prompt is too long, 503 when
    /// the queue is full) before anything is generated. Ending the iteration of the events, or the scope's cancellation,
    /// stops decoding.
    func chat(_ request: ChatCompletionRequest, scope: RequestScope) async throws -> TextGeneration
    /// As `chat`, for plain prompts; the choice index counts prompts × n.
    func complete(_ request: CompletionRequest, scope: RequestScope) async throws -> TextGeneration
    /// Token ids of a prompt or of a conversation.
    func tokenize(_ request: TokenizeRequest) async throws -> [Int]
    /// What the model's file says of its tokenizer.
    var tokenizerInfo: TokenizerInfo { get }
    /// The bytes of one token.
    func piece(of token: Int) -> [UInt8]
    /// The text of `tokens`. Throws 400 for an id outside the vocabulary.
    func detokenize(_ tokens: [Int]) async throws -> String
    /// Stands for what has a say in the last bits of its numbers; nil where that is not known.
    var systemFingerprint: String? { get }
}

/// A running answer.
public struct TextGeneration: Sendable {
    /// Tokens in the prompt (of all prompts, for a list of them).
    public let promptTokens: Int
    public let events: AsyncThrowingStream<TextEvent, any Error>

    public init(promptTokens: Int, events: AsyncThrowingStream<TextEvent, any Error>) {
        self.promptTokens = promptTokens
        self.events = events
    }
}

/// What an engine says while it answers. `index` is the choice.
public enum TextEvent: Sendable {
    /// Whole characters of the answer.
    case text(index: Int, String, logprobs: [TokenLogprob])
    /// Whole characters of the model's reasoning.
    case reasoning(index: Int, String)
    /// A piece of a tool call: `call` is its place among the choice's calls, `id` and `name` come with its first piece.
    case toolCall(index: Int, call: Int, id: String?, name: String?, arguments: String)
    /// The next sound of an answer that the model speaks itself, a sentence or so at a time: mono samples, −1…1, and their rate in Hz.
    case audio(index: Int, [Float], sampleRate: Int)
    /// A picture of the answer.
    case image(index: Int, FloatImage)
    /// The choice has ended; `stopReason` is the stop text or token that ended it.
    case finished(index: Int, FinishReason, stopReason: JSONValue)
    /// The counts so far, before each piece of text where the request wants them.
    case progress(Usage)
    /// The last event, with the counts over all choices.
    case usage(Usage)
}
