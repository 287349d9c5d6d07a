import NIOCore
import OmniAPI
import OmniEngine
import Testing

@testable import OmniWorkerServer

/// The shapes of API.md, sections 6 and 7.
@Suite("Chat replies")
struct ChatReplyTests {
    @Test("with continuous_usage_stats every chunk has the counts so far, without it none but the last")
    func continuousUsage() throws {
        let counted = Usage(promptTokens: 3, completionTokens: 2)
        let reply = try reply(#""stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}"#)
        #expect(reply.request.streamOptions?.countsContinuously == true)
        let events: [TextEvent] = [
            .text(index: 0, "a", logprobs: []), .reasoning(index: 0, "b"), .finished(index: 0, .stop, stopReason: .null),
        ]
        for buffer in events.map({ reply.chunk($0, usage: counted) }) + [reply.opening(0, usage: counted)] {
            #expect(try event(buffer)["usage"]?["completion_tokens"] == 2)
        }
        for buffer in events.map({ reply.chunk($0) }) { #expect(try event(buffer)["usage"] == nil) }
        #expect(reply.chunk(.progress(counted)) == nil)
        #expect(
            try self.reply(#""stream":true,"stream_options":{"continuous_usage_stats":true}"#).request.streamOptions?.countsContinuously
                == false)
    }

    private func reply(_ fields: String = "") throws -> ChatReply {
        let json = try JSONValue.parse(#"{"messages":[{"role":"user","content":"hi"}]\#(fields.isEmpty ? "" : "," + fields)}"#)
        return ChatReply(id: "1", model: "m \"x\"", request: try ChatCompletionRequest(json: json))
    }

    private func answer(_ events: [TextEvent], choices: Int = 1) -> ChatAnswer {
        var answer = ChatAnswer(choices: choices)
        for event in events { answer.add(event) }
        return answer
    }

    /// The JSON of one event; fails when the bytes are not exactly one `data:` event.
    private func event(_ buffer: ByteBuffer?) throws -> JSONValue {
        let text = String(buffer: try #require(buffer))
        #expect(text.hasPrefix("data: ") && text.hasSuffix("\n\n") && !text.dropLast(2).contains("\n"))
        return try JSONValue.parse(String(text.dropFirst(6).dropLast(2)))
    }

    private let whole: [TextEvent] = [
        .text(index: 0, "Hel", logprobs: []), .text(index: 0, "lo", logprobs: []), .finished(index: 0, .stop, stopReason: "lo"),
        .usage(Usage(promptTokens: 7, completionTokens: 2, cachedTokens: 3)),
    ]

    @Test("a whole answer has every key of the peer's")
    func completion() throws {
        let json = try reply().completion(answer(whole))
        #expect(json["id"] == "chatcmpl-1" && json["object"] == "chat.completion" && json["model"] == "m \"x\"")
        let keys = [
            "id", "object", "created", "model", "choices", "service_tier", "system_fingerprint", "usage", "prompt_logprobs",
            "prompt_token_ids", "kv_transfer_params", "metrics",
        ]
        #expect(Set(keys).isSubset(of: json.objectValue?.keys ?? []))
        let choice = try #require(json["choices"]?[0])
        #expect(Set(["index", "message", "logprobs", "finish_reason", "stop_reason", "token_ids"]) == Set(choice.objectValue?.keys ?? []))
        #expect(choice["finish_reason"] == "stop" && choice["stop_reason"] == "lo" && choice["logprobs"] == .null)
        let message = try #require(choice["message"])
        #expect(message["role"] == "assistant" && message["content"] == "Hello" && message["tool_calls"] == nil)
        for key in ["refusal", "annotations", "audio", "function_call", "reasoning"] { #expect(message[key] == .null, "\(key)") }
        #expect(
            json["usage"]?.jsonText
                == #"{"prompt_tokens":7,"total_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}"#)
    }

    @Test("a call stands beside null content, pieces joined in order")
    func calls() throws {
        let json = try reply().completion(
            answer([
                .toolCall(index: 0, call: 0, id: "c0", name: "f", arguments: #"{"a""#),
                .toolCall(index: 0, call: 1, id: "c1", name: "g", arguments: "{}"),
                .toolCall(index: 0, call: 0, id: nil, name: nil, arguments: ":1}"), .finished(index: 0, .toolCalls, stopReason: .null),
            ]))
        let choice = try #require(json["choices"]?[0])
        #expect(choice["finish_reason"] == "tool_calls" && choice["message"]?["content"] == .null)
        #expect(
            choice["message"]?["tool_calls"]?.jsonText
                == #"[{"id":"c0","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c1","type":"function","function":{"name":"g","arguments":"{}"}}]"#
        )
    }

    @Test("reasoning is shown unless it was not wanted")
    func reasoning() throws {
        let events: [TextEvent] = [.reasoning(index: 0, "hm"), .text(index: 0, "x", logprobs: [])]
        let shown = try reply().completion(answer(events))["choices"]?[0]?["message"]
        #expect(shown?["reasoning"] == "hm" && shown?["reasoning_content"] == "hm" && shown?["content"] == "x")
        let hidden = try reply(#""include_reasoning":false"#)
        #expect(hidden.completion(answer(events))["choices"]?[0]?["message"]?["reasoning"] == .null)
        #expect(hidden.chunk(events[0]) == nil)
        #expect(try event(reply().chunk(events[0]))["choices"]?[0]?["delta"]?["reasoning"] == "hm")
    }

    @Test("chunks: a role, text, an end, usage when asked for")
    func chunks() throws {
        let reply = try reply(#""stream":true,"stream_options":{"include_usage":true}"#)
        let opening = try event(reply.opening(2))
        #expect(
            opening["object"] == "chat.completion.chunk" && opening["id"] == "chatcmpl-1" && opening["model"] == "m \"x\""
                && opening["modality"] == "text")
        #expect(
            opening["choices"]?.jsonText == #"[{"index":2,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]"#
        )
        let text = try event(reply.chunk(.text(index: 0, "a\"\n😀", logprobs: [])))
        #expect(
            text["choices"]?[0]?["delta"]?["content"] == "a\"\n😀" && text["choices"]?[0]?["finish_reason"] == .null
                && text["modality"] == "text")
        let end = try event(reply.chunk(.finished(index: 0, .length, stopReason: .null)))
        #expect(end["choices"]?.jsonText == #"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length","stop_reason":null}]"#)
        let usage = try event(reply.chunk(.usage(Usage(promptTokens: 1, completionTokens: 2))))
        #expect(usage["choices"] == [] && usage["usage"]?["total_tokens"] == 3 && usage["modality"] == nil)
        #expect(try self.reply(#""stream":true"#).chunk(.usage(Usage())) == nil)
    }

    @Test("the first piece of a streamed call names it, later ones only add arguments")
    func streamedCall() throws {
        let reply = try reply(#""stream":true"#)
        let first = try event(reply.chunk(.toolCall(index: 0, call: 1, id: "c", name: "f", arguments: "")))
        #expect(
            first["choices"]?[0]?["delta"]?.jsonText
                == #"{"tool_calls":[{"index":1,"id":"c","type":"function","function":{"name":"f","arguments":""}}]}"#)
        let later = try event(reply.chunk(.toolCall(index: 0, call: 1, id: nil, name: nil, arguments: "{")))
        #expect(later["choices"]?[0]?["delta"]?.jsonText == #"{"tool_calls":[{"index":1,"function":{"arguments":"{"}}]}"#)
    }

    @Test("logprobs keep a token's bytes, and minus infinity is a number of JSON")
    func logprobs() throws {
        let token = TokenLogprob(
            token: "\u{FFFD}", logprob: -.infinity, bytes: [0xF0, 0x9F], top: [TokenLogprob(token: "a", logprob: -0.5, bytes: [97])])
        let reply = try reply(#""logprobs":true,"top_logprobs":1,"stream":true"#)
        let json = try event(reply.chunk(.text(index: 0, "x", logprobs: [token])))
        #expect(
            json["choices"]?[0]?["logprobs"]?["content"]?.jsonText
                == #"[{"token":"�","logprob":-9999.0,"bytes":[240,159],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]}]}]"#)
    }

    @Test("answers joined to a batch keep their order and add up")
    func joined() throws {
        let joined = ChatAnswer(joining: [
            answer(whole), answer([.text(index: 0, "two", logprobs: []), .usage(Usage(promptTokens: 1, completionTokens: 1))]),
        ])
        let json = try reply().completion(joined)
        #expect(json["choices"]?.arrayValue?.map { $0["message"]?["content"] } == ["Hello", "two"])
        #expect(json["choices"]?.arrayValue?.map { $0["index"] } == [0, 1])
        #expect(json["usage"]?["total_tokens"] == 11)
    }
}
