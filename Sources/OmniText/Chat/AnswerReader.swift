import OmniAPI
import OmniEngine

/// Follows the raw text of every choice of one request and says what it means: reasoning, content, tool calls.
struct AnswerReader: Sendable {
    private struct Choice: Sendable {
        var text: AnswerText
        var diff: AnswerDiff
        var logprobs: [TokenLogprob] = []
    }

    private let parser: any AnswerParsing
    private let showsReasoning: Bool
    private var choices: [Int: Choice] = [:]

    init(parser: any AnswerParsing, showsReasoning: Bool) {
        self.parser = parser
        self.showsReasoning = showsReasoning
    }

    mutating func read(_ event: TextEvent) -> [TextEvent] {
        switch event {
        case .text(let index, let text, let logprobs):
            var choice = choices[index] ?? Choice(text: AnswerText(parser: parser), diff: AnswerDiff(index: index))
            choice.logprobs += logprobs
            let events = choice.text.add(text).map { choice.diff.advance(to: $0, isFinal: false) } ?? []
            defer { choices[index] = choice }
            return attach(&choice.logprobs, to: events)
        case .finished(let index, let reason, let stopReason):
            guard var choice = choices.removeValue(forKey: index) else { return [event] }
            let answer = choice.text.whole(isPartial: reason == .length)
            var events = attach(&choice.logprobs, to: choice.diff.advance(to: answer, isFinal: reason != .length))
            if !choice.logprobs.isEmpty { events.append(.text(index: index, "", logprobs: choice.logprobs)) }
            let ended = choice.diff.hasCalls && reason == .stop ? FinishReason.toolCalls : reason
            return events + [.finished(index: index, ended, stopReason: stopReason)]
        default: return [event]
        }
    }

    private func attach(_ logprobs: inout [TokenLogprob], to events: [TextEvent]) -> [TextEvent] {
        var result: [TextEvent] = []
        for event in events {
            switch event {
            case .text(let index, let text, _):
                result.append(.text(index: index, text, logprobs: logprobs))
                logprobs = []
            case .reasoning where !showsReasoning: break
            default: result.append(event)
            }
        }
        return result
    }
}
