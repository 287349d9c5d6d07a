import OmniAPI
import OmniAnswerSchema
import OmniEngine
import OmniLlama

extension TextEngine {
    public func complete(_ request: CompletionRequest, scope: RequestScope) async throws -> TextGeneration {
        let adapter = try await adapter(scope)
        let prompts = try request.prompts.enumerated().map { place, prompt in
            var prompt = try self.prompt(prompt, param: request.prompts.count == 1 ? "body.prompt" : "body.prompt.\(place)")
            prompt.adapter = adapter
            return prompt
        }
        var plan = try SamplingPlan(request.sampling, defaults: defaults, vocabulary: vocabulary)
        plan.logprobs = request.logprobs
        let limits = try prompts.map { try tokenLimit(request.maxTokens, prompt: $0, param: "body.prompt") }
        let (stream, events) = AsyncThrowingStream.makeStream(of: TextEvent.self, throwing: (any Error).self)
        let grammars = try await BlockingThread.run(name: "omni-grammar") { [self] in
            try self.grammars(GrammarSpecification(request.answerFormat?.followed()), count: prompts.count * request.n)
        }
        try start(
            GenerationRequest(
                prompts: prompts, choices: request.n, plan: plan, grammars: grammars,
                maxTokens: limits.max() ?? 0, echo: request.echo, countsTokens: request.streamOptions?.countsContinuously ?? false,
                scope: scope, events: events))
        return TextGeneration(promptTokens: prompts.reduce(0) { $0 + $1.tokens.count }, events: stream)
    }

    private func prompt(_ prompt: CompletionRequest.Prompt, param: String) throws -> Prompt {
        switch prompt {
        case .text(let text): return Prompt(vocabulary.tokenize(text, addSpecial: true, special: true))
        case .tokens(let tokens): return Prompt(try vocabulary.checked(tokens, param: param))
        }
    }

    public func tokenize(_ request: TokenizeRequest) async throws -> [Int] {
        guard let messages = request.messages else {
            return vocabulary.tokenize(request.prompt ?? "", addSpecial: request.addSpecialTokens, special: true).map(Int.init)
        }
        let scope = RequestScope(id: "tokenize")
        let conversation = try await withTaskCancellationHandler {
            try await self.conversation(messages, scope: scope)
        } onCancel: {
            scope.cancellation.cancel()
        }
        let applied = try await BlockingThread.run(name: "omni-template") { [template] in
            try template.apply(
                ChatTemplate.Request(
                    messages: conversation.messages, tools: request.tools ?? [], toolChoice: request.toolChoice ?? .auto,
                    addGenerationPrompt: request.addGenerationPrompt, continuesFinalMessage: request.continueFinalMessage,
                    arguments: request.chatTemplateKwargs))
        }
        guard conversation.media.isEmpty else { return try await prompt(applied.prompt, media: conversation.media).tokens.map(Int.init) }
        return vocabulary.tokenize(applied.prompt, addSpecial: request.addSpecialTokens, special: true).map(Int.init)
    }

    public func piece(of token: Int) -> [UInt8] {
        Token(exactly: token).map { vocabulary.piece($0, special: true) } ?? []
    }

    public func detokenize(_ tokens: [Int]) async throws -> String {
        let tokens = try vocabulary.checked(tokens, param: "body.tokens")
        return String(decoding: tokens.flatMap { vocabulary.piece($0, special: true) }, as: UTF8.self)
    }
}

extension Vocabulary {
    /// Token ids that a client sent. Throws 400 for one outside the vocabulary.
    func checked(_ tokens: [Int], param: String) throws -> [Token] {
        try tokens.map { token in
            guard token >= 0, token < count else {
                throw APIError.invalid(param, "The token id \(token) is not in the vocabulary, which has \(count) tokens.")
            }
            return Token(token)
        }
    }
}
