import OmniAPI

extension ResponsesRequest {
    /// The request that a chat model is asked: `earlier` are the items of the conversation that this goes on with.
    func chat(after earlier: [ResponseItem]) -> ChatCompletionRequest {
        var chat = ChatCompletionRequest()
        chat.model = model
        if let instructions { chat.messages.append(ChatMessage(.system, instructions)) }
        chat.messages += [ChatMessage](earlier + input)
        if !tools.isEmpty {
            chat.tools = tools.map(\.chat)
            chat.toolChoice = toolChoice
            chat.parallelToolCalls = parallelToolCalls
        }
        if text.format != .text { chat.responseFormat = text.format }
        chat.maxCompletionTokens = maxOutputTokens
        (chat.sampling.temperature, chat.sampling.topP) = (temperature, topP)
        chat.reasoningEffort = reasoning?.effort
        if include.contains(Self.logprobs) || topLogprobs != nil {
            chat.logprobs = true
            chat.topLogprobs = topLogprobs
        }
        // Always streamed: the counts beside each chunk tell how much of the answer was thought.
        chat.stream = true
        var options = StreamOptions(includeUsage: true)
        options.continuousUsageStats = true
        chat.streamOptions = options
        return chat
    }
}

extension [ChatMessage] {
    /// Thoughts, words and calls that follow each other are one message of the assistant's.
    fileprivate init(_ items: [ResponseItem]) {
        self = []
        for item in items {
            switch item.kind {
            case .reasoning(let text): answer(isNew: { $0.content != nil || $0.toolCalls != nil }) { $0.reasoningContent = text }
            case .message(.assistant, let content): answer(isNew: { $0.content != nil || $0.toolCalls != nil }) { $0.content = content }
            case .functionCall(let id, let name, let arguments):
                let call = ToolCall(id: id, name: name, arguments: arguments)
                answer(isNew: { _ in false }) { $0.toolCalls = ($0.toolCalls ?? []) + [call] }
            case .message(let role, let content): append(ChatMessage(role, content))
            case .functionCallOutput(let id, let content): append(ChatMessage(.tool, content, callID: id))
            }
        }
    }

    /// Changes the assistant's message at the end; a new one where there is none, or `isNew` says so of it.
    private mutating func answer(isNew: (ChatMessage) -> Bool, _ change: (inout ChatMessage) -> Void) {
        if last.map({ $0.role != .assistant || isNew($0) }) ?? true { append(ChatMessage(.assistant, nil)) }
        change(&self[count - 1])
    }
}

extension ChatMessage {
    fileprivate init(_ role: Role, _ content: ChatContent?, callID: String? = nil) {
        self.init()
        (self.role, self.content, toolCallID) = (role, content, callID)
    }
}
