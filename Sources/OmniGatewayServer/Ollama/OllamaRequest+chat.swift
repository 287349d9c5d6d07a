import OmniAPI

extension OllamaChatRequest {
    /// The request that a chat model is asked, as a stream that tells its counts.
    func chat(_ model: String) -> ChatCompletionRequest {
        var chat = ChatCompletionRequest(ollama: model, options, format, thinking)
        chat.messages = messages.chat
        if let tools, !tools.isEmpty { chat.tools = tools }
        return chat
    }
}

extension OllamaGenerateRequest {
    /// The same for a prompt without a conversation.
    func chat(_ model: String) -> ChatCompletionRequest {
        var chat = ChatCompletionRequest(ollama: model, options, format, thinking)
        var message = OllamaMessage()
        (message.content, message.images) = (prompt, images)
        chat.messages = (system.map { [ChatMessage(.system, $0)] } ?? []) + [message].chat
        return chat
    }

    /// The prompt as it is.
    func completion(_ model: String) -> CompletionRequest {
        var completion = CompletionRequest()
        (completion.model, completion.prompts, completion.sampling) = (model, [.text(prompt)], options.sampling)
        (completion.maxTokens, completion.responseFormat) = (options.tokenLimit, format?.response)
        (completion.stream, completion.streamOptions) = (true, StreamOptions(includeUsage: true))
        return completion
    }
}

extension ChatCompletionRequest {
    fileprivate init(ollama model: String, _ options: OllamaOptions, _ format: OllamaFormat?, _ thinking: OllamaThinking?) {
        self.init()
        (self.model, sampling, maxCompletionTokens) = (model, options.sampling, options.tokenLimit)
        (stream, streamOptions, responseFormat) = (true, StreamOptions(includeUsage: true), format?.response)
        switch thinking {
        case .on(let thinks):
            chatTemplateKwargs = JSONObject([("enable_thinking", .bool(thinks))])
            includeReasoning = thinks
        case .effort(let effort): reasoningEffort = effort
        case nil: break
        }
    }
}

extension [OllamaMessage] {
    /// The same conversation as a chat: results of functions go by the ids of their calls.
    fileprivate var chat: [ChatMessage] {
        var waiting: [(name: String, id: String)] = [], calls = 0
        return map { message in
            var chat = ChatMessage(ChatMessage.Role(rawValue: message.role.rawValue) ?? .user, message.content)
            chat.reasoningContent = message.thinking
            if let images = message.images, !images.isEmpty {
                chat.content = .parts([.text(message.content)] + images.map { .image(url: "data:image/png;base64,\($0)") })
            }
            if let made = message.toolCalls, !made.isEmpty {
                chat.toolCalls = made.map { call in
                    calls += 1
                    let id = call.id ?? "call_\(calls)"
                    waiting.append((call.function.name, id))
                    return ToolCall(id: id, name: call.function.name, arguments: JSONValue.object(call.function.arguments).jsonText)
                }
            }
            if message.role == .tool {
                let place = waiting.firstIndex { $0.name == message.toolName } ?? waiting.indices.first
                chat.toolCallID = place.map { waiting.remove(at: $0).id }
            }
            return chat
        }
    }
}
