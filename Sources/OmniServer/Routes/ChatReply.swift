import Foundation
import NIOCore
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
    }

    var choices: [Choice]
    var usage = Usage()

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
        switch event {
        case .text(let index, let text, let logprobs):
            choices[index].text += text
            choices[index].logprobs += logprobs
        case .reasoning(let index, let text): choices[index].reasoning += text
        case .toolCall(let index, let call, let id, let name, let arguments):
            while choices[index].calls.count <= call { choices[index].calls.append(ToolCall()) }
            if let id { choices[index].calls[call].id = id }
            if let name { choices[index].calls[call].function.name = name }
            choices[index].calls[call].function.arguments += arguments
        case .finished(let index, let reason, let stopReason):
            choices[index].finish = reason
            choices[index].stopReason = stopReason
        case .usage(let usage): self.usage = usage
        }
    }
}

/// Writes chat replies, whole or as chunks, in vLLM-Omni's shape (API.md, sections 6 and 7).
struct ChatReply: Sendable {
    let id: String
    let model: String
    let created: Int
    let request: ChatCompletionRequest
    /// What every chunk begins with, up to its choices.
    private let head: [UInt8]

    init(id: String, model: String, request: ChatCompletionRequest) {
        self.id = "chatcmpl-\(id)"
        self.model = model
        self.request = request
        created = Int(Date().timeIntervalSince1970)
        var head = Array("data: {\"id\":".utf8)
        JSONValue.writeString(self.id, to: &head)
        head.append(contentsOf: ",\"object\":\"chat.completion.chunk\",\"created\":\(created),\"model\":".utf8)
        JSONValue.writeString(model, to: &head)
        head.append(contentsOf: ",\"choices\":[".utf8)
        self.head = head
    }

    // MARK: - Whole

    func completion(_ answer: ChatAnswer) -> JSONValue {
        [
            "id": .string(id), "object": "chat.completion", "created": .int(created), "model": .string(model),
            "choices": .array(answer.choices.enumerated().map { self.choice($1, index: $0) }),
            "service_tier": nil, "system_fingerprint": nil, "usage": answer.usage.json, "prompt_logprobs": nil, "prompt_token_ids": nil,
            "kv_transfer_params": nil, "metrics": nil,
        ]
    }

    private func choice(_ choice: ChatAnswer.Choice, index: Int) -> JSONValue {
        let reasoning = JSONValue.string(request.includeReasoning && !choice.reasoning.isEmpty ? choice.reasoning : nil)
        var message = JSONObject([
            ("role", .string(choice.role.rawValue)), ("content", choice.text.isEmpty && !choice.calls.isEmpty ? .null : .string(choice.text)), ("refusal", nil),
            ("annotations", nil), ("audio", nil), ("function_call", nil), ("reasoning", reasoning), ("reasoning_content", reasoning),
        ])
        if !choice.calls.isEmpty { message["tool_calls"] = .array(choice.calls.map(\.json)) }
        return [
            "index": .int(index), "message": .object(message),
            "logprobs": request.logprobs ? ["content": .array(choice.logprobs.map(\.json))] : .null,
            "finish_reason": .string(choice.finish.rawValue), "stop_reason": choice.stopReason, "token_ids": nil,
        ]
    }

    // MARK: - Chunks

    /// The first chunks of a choice: its role, and what it begins with.
    func opening(_ index: Int) -> ByteBuffer {
        var chunks = chunk(index, delta: ["role": .string(request.answerRole.rawValue), "content": ""])
        let echoed = request.echoedText
        if !echoed.isEmpty { chunks.writeImmutableBuffer(chunk(index, delta: ["content": .string(echoed)])) }
        return chunks
    }

    /// The chunk of an event; nil when there is nothing to send.
    func chunk(_ event: TextEvent) -> ByteBuffer? {
        switch event {
        case .text(let index, let text, let logprobs):
            return logprobs.isEmpty && !request.logprobs ? textChunk(index, text) : chunk(index, delta: ["content": .string(text)], logprobs: logprobs)
        case .reasoning(let index, let text):
            return request.includeReasoning ? chunk(index, delta: ["reasoning": .string(text), "reasoning_content": .string(text)]) : nil
        case .toolCall(let index, let call, let id, let name, let arguments):
            var function = JSONObject()
            if let name { function["name"] = .string(name) }
            function["arguments"] = .string(arguments)
            var piece = JSONObject([("index", .int(call))])
            if let id {
                piece["id"] = .string(id)
                piece["type"] = "function"
            }
            piece["function"] = .object(function)
            return chunk(index, delta: ["tool_calls": [.object(piece)]])
        case .finished(let index, let reason, let stopReason):
            return chunk(index, delta: [:], finish: .string(reason.rawValue), stopReason: stopReason)
        case .usage(let usage):
            guard request.streamOptions?.includeUsage == true else { return nil }
            var bytes = head
            bytes.append(contentsOf: "],\"usage\":".utf8)
            usage.json.write(to: &bytes)
            bytes.append(contentsOf: "}\n\n".utf8)
            return ByteBuffer(bytes: bytes)
        }
    }

    /// The chunk that is sent once a token, written without an intermediate document.
    private func textChunk(_ index: Int, _ text: String) -> ByteBuffer {
        var bytes = head
        bytes.reserveCapacity(head.count + text.utf8.count + 96)
        bytes.append(contentsOf: "{\"index\":\(index),\"delta\":{\"content\":".utf8)
        JSONValue.writeString(text, to: &bytes)
        bytes.append(contentsOf: "},\"logprobs\":null,\"finish_reason\":null}],\"modality\":\"text\"}\n\n".utf8)
        return ByteBuffer(bytes: bytes)
    }

    private func chunk(
        _ index: Int, delta: JSONValue, logprobs: [TokenLogprob] = [], finish: JSONValue = .null, stopReason: JSONValue? = nil
    ) -> ByteBuffer {
        var choice = JSONObject([
            ("index", .int(index)), ("delta", delta), ("logprobs", logprobs.isEmpty ? .null : ["content": .array(logprobs.map(\.json))]),
            ("finish_reason", finish),
        ])
        if let stopReason { choice["stop_reason"] = stopReason }
        var bytes = head
        JSONValue.object(choice).write(to: &bytes)
        bytes.append(contentsOf: "],\"modality\":\"text\"}\n\n".utf8)
        return ByteBuffer(bytes: bytes)
    }
}
