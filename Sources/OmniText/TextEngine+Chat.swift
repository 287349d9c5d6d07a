import OmniAPI
import OmniEngine
import OmniLlama

extension TextEngine {
    public func chat(_ request: ChatCompletionRequest, scope: RequestScope) async throws -> TextGeneration {
        let template = try template(for: request)
        let format = try request.responseFormat?.withFollowedPatterns()
        let tools = try (request.tools ?? []).map { try $0.withFollowedPatterns() }
        let conversation = try await conversation(request.messages, scope: scope)
        // A named function is called once.
        let isNamed = if case .function = request.toolChoice { true } else { false }
        let applied = try template.apply(ChatTemplate.Request(
            messages: conversation.messages, tools: tools, toolChoice: request.toolChoice ?? .auto,
            parallelToolCalls: request.parallelToolCalls && !isNamed, format: format, addGenerationPrompt: request.addGenerationPrompt,
            continuesFinalMessage: request.continueFinalMessage, arguments: request.chatTemplateKwargs, reasoningEffort: request.reasoningEffort))
        let prompt = try await prompt(applied.prompt, media: conversation.media)
        var plan = try SamplingPlan(request.sampling, defaults: defaults, vocabulary: vocabulary)
        plan.logprobs = request.logprobs ? request.topLogprobs ?? 0 : nil
        let (stream, events) = AsyncThrowingStream.makeStream(of: TextEvent.self, throwing: (any Error).self)
        try start(GenerationRequest(
            prompts: [prompt], choices: request.n, plan: plan, grammars: try grammars(applied.grammar, count: request.n),
            maxTokens: try tokenLimit(request.tokenLimit, prompt: prompt, param: "body.messages"),
            preserved: Set(applied.preserved.compactMap(singleToken)), templateStops: applied.stops, scope: scope, events: events))
        guard let parser = applied.parser else { return TextGeneration(promptTokens: prompt.tokens.count, events: stream) }
        let reader = AnswerReader(parser: parser, showsReasoning: request.includeReasoning)
        return TextGeneration(promptTokens: prompt.tokens.count, events: stream.read(by: reader))
    }

    /// The model's template, or the one that the request brings.
    private func template(for request: ChatCompletionRequest) throws -> ChatTemplate {
        if let source = request.chatTemplate { return try ChatTemplate(model: model, source: source) }
        guard let template else { throw APIError.invalid("body.messages", "This model has no chat template.", remedy: "Use /v1/completions, or pass --chat-template.") }
        return template
    }

    /// Compiles a grammar once for each answer: every one keeps its own place in it.
    func grammars(_ specification: GrammarSpecification?, count: Int) throws -> [Grammar] {
        guard let specification else { return [] }
        return try (0..<count).map { _ in try Grammar(specification, vocabulary: vocabulary) }
    }

    private func singleToken(_ text: String) -> Token? {
        let tokens = vocabulary.tokenize(text, addSpecial: false, special: true)
        return tokens.count == 1 ? tokens[0] : nil
    }

    /// Most tokens that an answer to `prompt` may have. Throws 413 when prompt and answer cannot fit.
    func tokenLimit(_ asked: Int?, prompt: Prompt, param: String) throws -> Int {
        let length = prompt.tokens.count
        guard length > 0 else { throw APIError.invalid(param, "The prompt is empty.") }
        guard length < maxLength else {
            throw APIError(
                .tooLarge, "The prompt has \(length) tokens and the context holds \(maxLength).",
                remedy: "Shorten the prompt, or start the server with a larger --max-model-len.", param: param)
        }
        guard let asked else { return min(maxLength - length, defaults.maxNewTokens ?? .max) }
        guard asked <= maxLength - length else {
            throw APIError(
                .tooLarge, "The prompt's \(length) tokens and \(asked) more for the answer do not fit into the context of \(maxLength).",
                remedy: "Ask for at most \(maxLength - length) tokens, or start the server with a larger --max-model-len.", param: param)
        }
        return asked
    }
}

extension AsyncThrowingStream<TextEvent, any Error> {
    /// The same stream with every choice's raw text taken apart. Ending it ends this one.
    func read(by reader: AnswerReader) -> AsyncThrowingStream {
        let (stream, events) = Self.makeStream()
        let task = Task {
            var reader = reader
            do {
                for try await event in self {
                    for part in reader.read(event) { events.yield(part) }
                }
                events.finish()
            } catch {
                events.finish(throwing: error)
            }
        }
        events.onTermination = { reason in
            if case .cancelled = reason { task.cancel() }
        }
        return stream
    }
}
