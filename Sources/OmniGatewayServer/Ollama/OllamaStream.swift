import Foundation
import OmniAPI
import OmniEngine

/// A chat's or a completion's chunks as the lines that Ollama writes.
struct OllamaStream {
    private let model: String
    private let isChat: Bool
    private let began: ContinuousClock.Instant
    /// When the model's server took the request: it had been loaded then.
    private let taken: ContinuousClock.Instant
    private var first: ContinuousClock.Instant?
    private var text = ""
    private var thoughts = ""
    private var calls: [ToolCall] = []
    private var reason: String?
    private var usage = Usage()

    init(model: String, isChat: Bool, began: ContinuousClock.Instant, taken: ContinuousClock.Instant) {
        (self.model, self.isChat, self.began, self.taken) = (model, isChat, began, taken)
    }

    /// The line of the next chunk; nil where it has nothing to say.
    mutating func push(_ chunk: ChatCompletionChunk) -> OllamaAnswer? {
        usage = chunk.usage ?? usage
        guard let choice = chunk.choices.first else { return nil }
        reason = choice.finishReason ?? reason
        for call in choice.delta.toolCalls ?? [] { calls.join(call) }
        let thinking = choice.delta.reasoning ?? choice.delta.reasoningContent ?? ""
        return piece(choice.delta.content?.text ?? "", thinking: thinking)
    }

    /// The same for a completion's.
    mutating func push(_ chunk: TextCompletion) -> OllamaAnswer? {
        usage = chunk.usage ?? usage
        guard let choice = chunk.choices.first else { return nil }
        reason = choice.finishReason ?? reason
        return piece(choice.text, thinking: "")
    }

    /// The lines after the last chunk.
    mutating func end() -> [OllamaAnswer] {
        let calls = finishedCalls
        return (calls.isEmpty ? [] : [answer("", thinking: nil, calls: calls)]) + [last(answer("", thinking: nil))]
    }

    /// The whole answer.
    mutating func whole() -> OllamaAnswer {
        let calls = finishedCalls
        return last(answer(text, thinking: thoughts.isEmpty ? nil : thoughts, calls: calls.isEmpty ? nil : calls))
    }

    private mutating func piece(_ text: String, thinking: String) -> OllamaAnswer? {
        guard !text.isEmpty || !thinking.isEmpty else { return nil }
        first = first ?? .now
        self.text += text
        thoughts += thinking
        return answer(text, thinking: thinking.isEmpty ? nil : thinking)
    }

    /// Arguments that are no object, from a model that nothing held to its schema, are not lost.
    private var finishedCalls: [OllamaToolCall] {
        calls.enumerated().map { place, call in
            var finished = OllamaToolCall()
            if !call.id.isEmpty { finished.id = call.id }
            (finished.function.index, finished.function.name) = (place, call.function.name)
            let text = call.function.arguments
            finished.function.arguments = (try? JSONValue.parse(text))?.objectValue ?? JSONObject([("arguments", .string(text))])
            return finished
        }
    }

    private func answer(_ text: String, thinking: String?, calls: [OllamaToolCall]? = nil) -> OllamaAnswer {
        var answer = OllamaAnswer(model: model)
        guard isChat else {
            (answer.response, answer.thinking) = (text, thinking)
            return answer
        }
        var message = OllamaAnswerMessage()
        (message.content, message.thinking, message.toolCalls) = (text, thinking, calls)
        answer.message = message
        return answer
    }

    private func last(_ answer: OllamaAnswer) -> OllamaAnswer {
        var answer = answer
        let now = ContinuousClock.now, start = first ?? now
        (answer.isDone, answer.doneReason) = (true, reason == "length" ? "length" : "stop")
        (answer.totalDuration, answer.loadDuration) = ((now - began).nanoseconds, (taken - began).nanoseconds)
        (answer.promptCount, answer.promptDuration) = (usage.promptTokens, (start - taken).nanoseconds)
        (answer.count, answer.duration) = (usage.completionTokens, (now - start).nanoseconds)
        return answer
    }
}

extension OllamaAnswer {
    /// Of this moment.
    init(model: String) {
        self.init()
        self.model = model
        createdAt = Date.now.ollamaText
    }
}

extension Date {
    /// RFC 3339, with milliseconds.
    var ollamaText: String { formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted)) }
}

extension Duration {
    var nanoseconds: Int { Int(seconds * 1e9) }
}
