import OmniAPI
import OmniEngine
import OmniLlama

extension TextEngine {
    public func chat(_ request: ChatCompletionRequest, scope: RequestScope) async throws -> TextGeneration {
        try await chat(request, scope: scope, systemPrompt: nil) { _ in nil }
    }

    /// - Parameters:
    ///   - systemPrompt: stands before everything else, unless the conversation begins with it.
    ///   - feed: gets what the network makes of the prompt and the answer; nil where nobody wants that.
    func chat(_ request: ChatCompletionRequest, scope: RequestScope, systemPrompt: String?, feed: (Prompt) throws -> ThinkerFeed?)
        async throws
        -> TextGeneration
    {
        var plan = try SamplingPlan(request.sampling, defaults: defaults, vocabulary: vocabulary)
        plan.logprobs = request.logprobs ? request.topLogprobs ?? 0 : nil
        var conversation = try await conversation(request.messages, scope: scope)
        if let systemPrompt { conversation.begin(with: systemPrompt) }
        // A template is a program and a grammar may be large: both take their time, on a thread of their own.
        let (applied, grammars) = try await BlockingThread.run(name: "omni-template") { [self, conversation] in
            let applied = try self.template(for: request).apply(
                ChatTemplate.Request(
                    messages: conversation.messages, tools: request.tools ?? [], toolChoice: request.toolChoice ?? .auto,
                    parallelToolCalls: request.parallelToolCalls, format: request.answerFormat,
                    addGenerationPrompt: request.addGenerationPrompt,
                    continuesFinalMessage: request.continueFinalMessage, arguments: request.chatTemplateKwargs,
                    reasoningEffort: request.reasoningEffort))
            return (applied, try self.grammars(applied.grammar, count: request.n))
        }
        var prompt = try await prompt(applied.prompt, media: conversation.media)
        prompt.adapter = try await adapter(scope)
        let feed = try feed(prompt)
        let (stream, events) = AsyncThrowingStream.makeStream(of: TextEvent.self, throwing: (any Error).self)
        try start(
            GenerationRequest(
                prompts: [prompt], feed: feed, choices: request.n, plan: plan, grammars: grammars,
                maxTokens: try tokenLimit(request.tokenLimit, prompt: prompt, param: "body.messages"),
                countsTokens: request.streamOptions?.countsContinuously ?? false, preserved: Set(applied.preserved.compactMap(singleToken)),
                templateStops: applied.stops,
                expected: request.prediction.map { vocabulary.tokenize($0.content.text, addSpecial: false, special: false) },
                scope: scope, events: events))
        guard let parser = applied.parser else { return TextGeneration(promptTokens: prompt.tokens.count, events: stream) }
        let reader = AnswerReader(parser: parser, showsReasoning: request.includeReasoning)
        return TextGeneration(promptTokens: prompt.tokens.count, events: stream.read(by: reader))
    }

    /// The model's template, or the one that the request brings. Applying it blocks.
    private func template(for request: ChatCompletionRequest) throws -> ChatTemplate {
        assert(!BlockingThread.isPool)
        return try request.chatTemplate.map { try ChatTemplate(model: model, source: $0) } ?? template
    }

    /// Compiles a grammar once for each answer: every one keeps its own place in it. Blocks.
    func grammars(_ specification: GrammarSpecification?, count: Int) throws -> [Grammar] {
        assert(!BlockingThread.isPool)
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
                .tooLarge, "\(contextWords) However, the prompt has \(length) tokens.",
                remedy: "Shorten the prompt, or start the server with a larger --max-model-len.", param: param)
        }
        guard let asked else { return min(maxLength - length, defaults.maxNewTokens ?? .max) }
        guard asked <= maxLength - length else {
            throw APIError(
                .tooLarge,
                "\(contextWords) However, you requested \(length + asked) tokens (\(length) in the prompt, \(asked) for the answer).",
                remedy: "Ask for at most \(maxLength - length) tokens, or start the server with a larger --max-model-len.", param: param)
        }
        return asked
    }

    /// Clients look for these words of vLLM and OpenAI, and then send less.
    private var contextWords: String { APIError.contextLength(maxLength) }
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
