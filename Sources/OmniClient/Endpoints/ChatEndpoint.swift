import OmniAPI

extension OmniClient {
    /// `/v1/chat/completions`.
    public var chat: Chat { Chat(transport: transport) }

    public struct Chat: Sendable {
        let transport: Transport

        /// The whole answer.
        public func create(_ request: ChatCompletionRequest, _ options: CallOptions = CallOptions()) async throws -> ChatCompletion {
            var request = request
            request.stream = false
            request.streamOptions = nil
            return try await transport.json(.post("/v1/chat/completions", request, options))
        }

        /// The answer as it is made. The last chunk carries the token counts.
        public func stream(_ request: ChatCompletionRequest, _ options: CallOptions = CallOptions()) async throws -> EventStream<
            ChatCompletionChunk
        > {
            var request = request
            request.stream = true
            if request.streamOptions == nil { request.streamOptions = StreamOptions(includeUsage: true) }
            return EventStream(
                try await transport.send(.post("/v1/chat/completions", request, options)),
                decode: { _, json in [try ChatCompletionChunk(json: json, at: .root("event"))] },
                // Models that draw answer at once on some servers.
                whole: { [try ChatCompletionChunk(ChatCompletion(json: $0, at: .root("reply")))] })
        }
    }
}

extension ChatCompletionChunk {
    /// A whole answer as the one chunk of its stream.
    init(_ completion: ChatCompletion) {
        self.init()
        (id, created, model, usage) = (completion.id, completion.created, completion.model, completion.usage)
        choices = completion.choices.map { whole in
            var choice = ChatChunkChoice()
            choice.index = whole.index
            choice.delta.role = whole.message.role
            choice.delta.content = whole.message.content
            choice.delta.reasoning = whole.message.reasoning
            choice.finishReason = whole.finishReason
            choice.logprobs = whole.logprobs
            choice.audioMetadata = whole.audioMetadata
            return choice
        }
        if case .parts = choices.first?.delta.content { modality = "image" }
    }
}
