import Foundation
import NIOCore
import OmniAPI
import OmniEngine

/// Writes chat replies, whole or as chunks, in vLLM-Omni's shape (API.md, sections 6 and 7).
struct ChatReply: Sendable {
    let id: String
    let model: String
    let created: Int
    let request: ChatCompletionRequest
    let fingerprint: String?
    /// What every chunk begins with, up to its choices.
    private let head: [UInt8]

    init(id: String, model: String, request: ChatCompletionRequest, fingerprint: String? = nil) {
        self.id = "chatcmpl-\(id)"
        self.model = model
        self.request = request
        self.fingerprint = fingerprint
        created = Int(Date().timeIntervalSince1970)
        var head = Array("data: {\"id\":".utf8)
        JSONValue.writeString(self.id, to: &head)
        head.append(contentsOf: ",\"object\":\"chat.completion.chunk\",\"created\":\(created),\"model\":".utf8)
        JSONValue.writeString(model, to: &head)
        if let fingerprint { head.append(contentsOf: ",\"system_fingerprint\":\"\(fingerprint)\"".utf8) }
        head.append(contentsOf: ",\"choices\":[".utf8)
        self.head = head
    }

    // MARK: - Whole

    /// `media`: what the choices bring besides text, by their places.
    func completion(_ answer: ChatAnswer, media: [Int: ChatMedia] = [:], wantsText: Bool = true) -> JSONValue {
        [
            "id": .string(id), "object": "chat.completion", "created": .int(created), "model": .string(model),
            "choices": .array(answer.choices.enumerated().map { self.choice($1, index: $0, media: media[$0], wantsText: wantsText) }),
            "service_tier": nil, "system_fingerprint": .string(fingerprint), "usage": answer.usage.json, "prompt_logprobs": nil,
            "prompt_token_ids": nil, "kv_transfer_params": nil, "metrics": request.returnStageMetrics ? answer.times.json : .null,
        ]
    }

    private func choice(_ choice: ChatAnswer.Choice, index: Int, media: ChatMedia?, wantsText: Bool) -> JSONValue {
        let reasoning = JSONValue.string(request.includeReasoning && !choice.reasoning.isEmpty ? choice.reasoning : nil)
        var message = JSONObject([
            ("role", .string(choice.role.rawValue)),
            ("content", !wantsText || choice.text.isEmpty && !choice.calls.isEmpty ? .null : .string(choice.text)), ("refusal", nil),
            ("annotations", nil), ("audio", nil), ("function_call", nil), ("reasoning", reasoning), ("reasoning_content", reasoning),
        ])
        if let media { media.add(to: &message, text: choice.text) }
        if !choice.calls.isEmpty { message["tool_calls"] = .array(choice.calls.map(\.json)) }
        var object = JSONObject([
            ("index", .int(index)), ("message", .object(message)),
            ("logprobs", request.logprobs ? ["content": .array(choice.logprobs.map(\.json))] : .null),
            ("finish_reason", .string(choice.finish.rawValue)), ("stop_reason", choice.stopReason), ("token_ids", nil),
        ])
        if let sound = media?.sound { object["audio_metadata"] = sound.metadata }
        return .object(object)
    }

    // MARK: - Chunks

    /// The first chunks of a choice: its role, and what it begins with. `usage`: the counts so far, where every chunk has them.
    func opening(_ index: Int, usage: Usage? = nil) -> ByteBuffer {
        var chunks = chunk(index, delta: ["role": .string(request.answerRole.rawValue), "content": ""], usage: usage)
        let echoed = request.echoedText
        if !echoed.isEmpty { chunks.writeImmutableBuffer(chunk(index, delta: ["content": .string(echoed)], usage: usage)) }
        return chunks
    }

    /// The chunk of an event; nil when there is nothing to send.
    ///
    /// - Parameters:
    ///   - usage: the counts so far, where every chunk has them.
    ///   - modality: what an answer ends with; nil where a modality that was asked for did not come.
    ///   - times: told in the last chunk of a choice, where that was asked for.
    func chunk(_ event: TextEvent, usage: Usage? = nil, endsWith modality: String? = "text", times: AnswerTimes? = nil) -> ByteBuffer? {
        switch event {
        case .text(let index, let text, let logprobs):
            return logprobs.isEmpty && !request.logprobs
                ? textChunk(index, text, usage: usage) : chunk(index, delta: ["content": .string(text)], logprobs: logprobs, usage: usage)
        case .reasoning(let index, let text):
            return request.includeReasoning
                ? chunk(index, delta: ["reasoning": .string(text), "reasoning_content": .string(text)], usage: usage) : nil
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
            return chunk(index, delta: ["tool_calls": [.object(piece)]], usage: usage)
        case .finished(let index, let reason, let stopReason):
            return chunk(
                index, delta: [:], finish: .string(reason.rawValue), stopReason: stopReason, usage: usage, modality: modality,
                metrics: request.returnStageMetrics ? times?.json : nil)
        // Coded first: ``mediaChunk(_:modality:)``.
        case .progress, .audio, .image: return nil
        case .usage(let usage):
            guard request.streamOptions?.includeUsage == true else { return nil }
            var bytes = head
            bytes.append(contentsOf: "],\"usage\":".utf8)
            usage.json.write(to: &bytes)
            bytes.append(contentsOf: "}\n\n".utf8)
            return ByteBuffer(bytes: bytes)
        }
    }

    /// The chunk of a choice that brings sound or a picture.
    func mediaChunk(_ choice: JSONValue, modality: String) -> ByteBuffer {
        var bytes = head
        choice.write(to: &bytes)
        return closed(&bytes, usage: nil, modality: modality)
    }

    /// The chunk that is sent once a token, written without an intermediate document.
    private func textChunk(_ index: Int, _ text: String, usage: Usage?) -> ByteBuffer {
        var bytes = head
        bytes.reserveCapacity(head.count + text.utf8.count + 96)
        bytes.append(contentsOf: "{\"index\":\(index),\"delta\":{\"content\":".utf8)
        JSONValue.writeString(text, to: &bytes)
        bytes.append(contentsOf: "},\"logprobs\":null,\"finish_reason\":null}".utf8)
        return closed(&bytes, usage: usage)
    }

    private func chunk(
        _ index: Int, delta: JSONValue, logprobs: [TokenLogprob] = [], finish: JSONValue = .null, stopReason: JSONValue? = nil,
        usage: Usage?, modality: String? = "text", metrics: JSONValue? = nil
    ) -> ByteBuffer {
        var choice = JSONObject([
            ("index", .int(index)), ("delta", delta), ("logprobs", logprobs.isEmpty ? .null : ["content": .array(logprobs.map(\.json))]),
            ("finish_reason", finish),
        ])
        if let stopReason { choice["stop_reason"] = stopReason }
        var bytes = head
        JSONValue.object(choice).write(to: &bytes)
        return closed(&bytes, usage: usage, modality: modality, metrics: metrics)
    }

    /// The end of a chunk with one choice.
    private func closed(_ bytes: inout [UInt8], usage: Usage?, modality: String? = "text", metrics: JSONValue? = nil) -> ByteBuffer {
        bytes.append(contentsOf: "]".utf8)
        if let modality { bytes.append(contentsOf: ",\"modality\":\"\(modality)\"".utf8) }
        if let metrics {
            bytes.append(contentsOf: ",\"metrics\":".utf8)
            metrics.write(to: &bytes)
        }
        if let usage {
            bytes.append(contentsOf: ",\"usage\":".utf8)
            usage.json.write(to: &bytes)
        }
        bytes.append(contentsOf: "}\n\n".utf8)
        return ByteBuffer(bytes: bytes)
    }
}
