import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway

extension GatewayRoutes {
    func addCompletions(to table: inout RouteTable) {
        let doc = RouteDoc("Text that goes on from a prompt.", .chat)
            .takes(CompletionRequest.self, example: ["prompt": "Once upon a time", "max_tokens": 16])
            .answers(TextCompletion.self)
            .streams([.object(TextCompletion.self), .object(ErrorReply.self)], "With `stream`: each event has the text that it adds, then `[DONE]`.")
            .sends("x-ignored-params", "Fields of the request that had no effect.")
            .fails(.reading + .serving)
        addForwarding(to: &table, "/v1/completions", doc, task: "completions", kinds: [.text], CompletionRequest.self, model: \.model)
    }
}

extension WorkerRoutes {
    func addCompletions(to table: inout RouteTable) {
        table.add(.post, "/v1/completions", "Text that goes on from a prompt.") { request, context in
            let body = try await context.collectJSON(request)
            let (completion, ignored) = try context.decode(CompletionRequest.self, from: body)
            let model = try worker.require((any TextModel).self, task: "completions")
            let reply = CompletionReply(id: completion.requestID ?? context.requestID, model: worker.servedName, request: completion)
            let scope = RequestScope(id: context.requestID)
            let generation = try await context.cancelOnDisconnect(isLong: body.isLong) { try await model.complete(completion, scope: scope) }
            if completion.stream {
                return context.eventStream(ignored: ignored) { sink in
                    defer { scope.cancellation.cancel() }
                    var offsets: [Int: Int] = [:]
                    for try await event in generation.events {
                        if let chunk = reply.chunk(event, offsets: &offsets) { try await sink.data(chunk) }
                    }
                    try Task.checkCancellation()
                    try await sink.done()
                }
            }
            let answer = try await context.cancelOnDisconnect {
                defer { scope.cancellation.cancel() }
                var answer = ChatAnswer(choices: completion.prompts.count * completion.n)
                for try await event in generation.events { answer.add(event) }
                try Task.checkCancellation()
                return answer
            }
            return .json(reply.completion(answer), ignored: ignored)
        }
    }
}

/// Writes `/v1/completions` replies.
struct CompletionReply: Sendable {
    let id: String
    let model: String
    let created: Int
    let request: CompletionRequest

    init(id: String, model: String, request: CompletionRequest) {
        self.id = "cmpl-\(id)"
        self.model = model
        self.request = request
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

    func chunk(_ event: TextEvent, offsets: inout [Int: Int]) -> JSONValue? {
        switch event {
        case .text(let index, let text, let logprobs):
            let entry: JSONValue = [
                "index": .int(index), "text": .string(text), "logprobs": self.logprobs(logprobs, offset: &offsets[index, default: 0]),
                "finish_reason": nil, "stop_reason": nil,
            ]
            return envelope(choices: [entry], usage: nil)
        case .finished(let index, let reason, let stopReason):
            return envelope(
                choices: [["index": .int(index), "text": "", "logprobs": nil, "finish_reason": .string(reason.rawValue), "stop_reason": stopReason]], usage: nil)
        case .usage(let usage): return request.streamOptions?.includeUsage == true ? envelope(choices: [], usage: usage) : nil
        case .reasoning, .toolCall: return nil
        }
    }

    private func envelope(choices: [JSONValue], usage: Usage?) -> JSONValue {
        [
            "id": .string(id), "object": "text_completion", "created": .int(created), "model": .string(model), "choices": .array(choices),
            "service_tier": nil, "system_fingerprint": nil, "usage": usage?.json ?? .null,
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
