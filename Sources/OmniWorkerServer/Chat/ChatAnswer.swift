import OmniAPI
import OmniEngine

/// An answer gathered from an engine's events.
struct ChatAnswer: Sendable {
    struct Choice: Sendable {
        var role = ChatMessage.Role.assistant
        var text = ""
        var reasoning = ""
        var calls: [ToolCall] = []
        var logprobs: [TokenLogprob] = []
        var finish = FinishReason.stop
        var stopReason = JSONValue.null
        /// Of a model that speaks itself: mono samples, and their rate in Hz.
        var samples: [Float] = []
        var sampleRate = 0
        var images: [FloatImage] = []
    }

    var choices: [Choice]
    var usage = Usage()
    private(set) var times = AnswerTimes()

    init(choices count: Int) { choices = Array(repeating: Choice(), count: count) }

    /// The beginning of the answer to `request`.
    init(to request: ChatCompletionRequest) {
        choices = Array(repeating: Choice(role: request.answerRole, text: request.echoedText), count: request.n)
    }

    /// The choices of several answers in a row, with their counts added up.
    init(joining answers: [ChatAnswer]) {
        choices = answers.flatMap(\.choices)
        usage = answers.reduce(Usage()) { $0 + $1.usage }
    }

    mutating func add(_ event: TextEvent) {
        times.note(event)
        switch event {
        case .text(let index, let text, let logprobs):
            choices[index].text += text
            choices[index].logprobs += logprobs
        case .reasoning(let index, let text): choices[index].reasoning += text
        case .toolCall(let index, let call, let id, let name, let arguments):
            choices[index].calls.join(ToolCallDelta(index: call, id: id, name: name, arguments: arguments))
        case .finished(let index, let reason, let stopReason):
            choices[index].finish = reason
            choices[index].stopReason = stopReason
        case .audio(let index, let samples, let sampleRate):
            choices[index].samples += samples
            choices[index].sampleRate = sampleRate
        case .image(let index, let image): choices[index].images.append(image)
        case .usage(let usage), .progress(let usage): self.usage = usage
        }
    }
}
