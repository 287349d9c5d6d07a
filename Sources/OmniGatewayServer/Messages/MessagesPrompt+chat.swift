import OmniAPI

extension MessagesPrompt {
    /// The same conversation as a chat.
    var chat: ChatCompletionRequest {
        var chat = ChatCompletionRequest()
        chat.model = model
        if let system { chat.messages.append(ChatMessage(.system, MessageBlock.text(of: system))) }
        chat.messages += messages.flatMap(\.chat)
        // The beginning of an answer that the client has written: it is gone on with.
        if messages.last?.role == .assistant { (chat.continueFinalMessage, chat.addGenerationPrompt) = (true, false) }
        if let tools, !tools.isEmpty { chat.tools = tools.map(\.chat) }
        if let toolChoice {
            chat.toolChoice = toolChoice.chat
            chat.parallelToolCalls = !toolChoice.disableParallelToolUse
        }
        switch thinking?.type {
        case .enabled: chat.chatTemplateKwargs = JSONObject([("enable_thinking", true)])
        case .disabled: chat.chatTemplateKwargs = JSONObject([("enable_thinking", false)])
        case .adaptive, nil: break
        }
        return chat
    }
}

extension MessagesRequest {
    /// The request that a chat model is asked.
    var chat: ChatCompletionRequest {
        var chat = prompt.chat
        chat.maxCompletionTokens = maxTokens
        chat.sampling.temperature = temperature
        chat.sampling.topP = topP
        chat.sampling.topK = topK
        chat.sampling.stop = stopSequences
        chat.stream = stream
        if stream {
            // The first event tells the length of the prompt.
            var options = StreamOptions(includeUsage: true)
            options.continuousUsageStats = true
            chat.streamOptions = options
        }
        return chat
    }
}

extension MessageTurn {
    /// Results of tools are messages of their own, before what else the user says.
    fileprivate var chat: [ChatMessage] {
        var results: [ChatMessage] = []
        var message = ChatMessage()
        message.role = role == .user ? .user : .assistant
        var parts: [ChatPart] = []
        for block in content {
            switch block {
            case .text(let text): parts.append(.text(text))
            case .image(let url): parts.append(.image(url: url))
            case .thinking(let text): message.reasoningContent = (message.reasoningContent.map { $0 + "\n" } ?? "") + text
            case .redactedThinking: break
            case .toolUse(let id, let name, let input):
                message.toolCalls = (message.toolCalls ?? []) + [ToolCall(id: id, name: name, arguments: JSONValue.object(input).jsonText)]
            case .toolResult(let id, let content, let isError): results.append(Self.result(id, content, isError: isError))
            }
        }
        let pictures = parts.contains { if case .text = $0 { false } else { true } }
        // Templates of many models take plain text only.
        if !parts.isEmpty { message.content = pictures ? .parts(parts) : .text(MessageBlock.text(of: content)) }
        let isEmpty = parts.isEmpty && (message.toolCalls ?? []).isEmpty && message.reasoningContent == nil
        if isEmpty, !results.isEmpty { return results }
        if isEmpty { message.content = .text("") }
        return results + [message]
    }

    private static func result(_ id: String, _ content: [MessageBlock], isError: Bool) -> ChatMessage {
        var message = ChatMessage()
        message.role = .tool
        message.toolCallID = id
        let pictures = content.compactMap { block -> ChatPart? in if case .image(let url) = block { .image(url: url) } else { nil } }
        // Chats have no mark for a call that failed.
        let text = (isError ? "Error: " : "") + MessageBlock.text(of: content)
        message.content = pictures.isEmpty ? .text(text) : .parts([.text(text)] + pictures)
        return message
    }
}

extension MessageTool {
    fileprivate var chat: Tool {
        var tool = Tool()
        tool.function.name = name
        tool.function.description = description
        tool.function.parameters = inputSchema
        return tool
    }
}

extension MessageToolChoice {
    fileprivate var chat: ToolChoice {
        switch type {
        case .auto: .auto
        case .any: .required
        case .tool: .function(name ?? "")
        case .none: .none
        }
    }
}
