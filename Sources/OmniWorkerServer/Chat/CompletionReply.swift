import Foundation
import OmniAPI
import OmniEngine

/// Writes `/v1/completions` replies.
struct CompletionReply: Sendable {
    let id: String
    let model: String
    let created: Int
    let request: CompletionRequest
    let fingerprint: String?

    init(id: String, model: String, request: CompletionRequest, fingerprint: String? = nil) {
        self.id = "cmpl-\(id)"
        self.model = model
        self.request = request
        self.fingerprint = fingerprint
        created = Int(Date().timeIntervalSince1970)
    }

    func completion(_ answer: ChatAnswer) -> JSONValue {
        let choices = answer.choices.enumerated().map { index, choice -> JSONValue in
            var offset = 0
            return [
                "index": .int(index), "text": .string(choice.text), "logprobs": logprobs(choice.logprobs, offset: &offset),
                "finish_reason": .string(choice.finish.rawValue), "stop_reason": choice.stopReason, "prompt_logprobs": nil,
            ]
        }
        return envelope(choices: choices, usage: answer.usage)
    }

    /// `usage`: the counts so far, where every chunk has them.
    func chunk(_ event: TextEvent, offsets: inout [Int: Int], usage counted: Usage? = nil) -> JSONValue? {
        switch event {
        case .text(let index, let text, let logprobs):
            let entry: JSONValue = [
                "index": .int(index), "text": .string(text), "logprobs": self.logprobs(logprobs, offset: &offsets[index, default: 0]),
                "finish_reason": nil, "stop_reason": nil,
            ]
            return envelope(choices: [entry], usage: counted)
        case .finished(let index, let reason, let stopReason):
            return envelope(
                choices: [
                    [
                        "index": .int(index), "text": "", "logprobs": nil, "finish_reason": .string(reason.rawValue),
                        "stop_reason": stopReason,
                    ]
                ], usage: counted)
        case .usage(let usage):
            // Not by a ternary: its nil would be JSON's null, and an event.
            guard request.streamOptions?.includeUsage == true else { return nil }
            return envelope(choices: [], usage: usage)
        case .reasoning, .toolCall, .progress, .audio, .image: return nil
        }
    }

    private func envelope(choices: [JSONValue], usage: Usage?) -> JSONValue {
        [
            "id": .string(id), "object": "text_completion", "created": .int(created), "model": .string(model), "choices": .array(choices),
            "service_tier": nil, "system_fingerprint": .string(fingerprint), "usage": usage?.json ?? .null,
        ]
    }

    /// The older form of logprobs: parallel lists.
    private func logprobs(_ tokens: [TokenLogprob], offset: inout Int) -> JSONValue {
        guard request.logprobs != nil else { return .null }
        var offsets: [JSONValue] = []
        for token in tokens {
            offsets.append(.int(offset))
            offset += token.token.unicodeScalars.count
        }
        return [
            "tokens": .array(tokens.map { .string($0.token) }), "token_logprobs": .array(tokens.map { .number(max($0.logprob, -9999)) }),
            "top_logprobs": .array(
                tokens.map { token in
                    var top = JSONObject()
                    for entry in token.top { top[entry.token] = .number(max(entry.logprob, -9999)) }
                    return .object(top)
                }), "text_offset": .array(offsets),
        ]
    }
}
