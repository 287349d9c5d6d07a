import OmniAPI
import Testing

@testable import OmniGatewayServer

@Suite("Anthropic's Messages API")
struct MessageTests {
    private func chat(_ json: String) throws -> ChatCompletionRequest { try MessagesRequest(json: try JSONValue.parse(json)).chat }

    @Test("a conversation with tools becomes the chat that OpenAI's clients would send")
    func tools() throws {
        let chat = try chat(
            #"""
            {"model":"m","max_tokens":9,"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"stop_sequences":["END"],"top_k":3,
             "tools":[{"name":"weather","description":"now","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},
             "messages":[{"role":"user","content":"Rome?"},
              {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"I look."},
               {"type":"tool_use","id":"t1","name":"weather","input":{"city":"Rome"}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"sun"}]},
               {"type":"tool_result","tool_use_id":"t2","content":"no such city","is_error":true},{"type":"text","text":"So?"}]}]}
            """#)
        #expect(chat.messages.map(\.role) == [.system, .user, .assistant, .tool, .tool, .user])
        #expect(chat.messages.map { $0.content?.text } == ["Be brief.", "Rome?", "I look.", "sun", "Error: no such city", "So?"])
        #expect(
            chat.messages[2].reasoningContent == "hm"
                && chat.messages[2].toolCalls == [ToolCall(id: "t1", name: "weather", arguments: #"{"city":"Rome"}"#)])
        #expect(chat.messages[3].toolCallID == "t1" && chat.messages[4].toolCallID == "t2")
        #expect(
            chat.tools?.first?.function.parameters == JSONObject([("type", "object")]) && chat.toolChoice == .required
                && !chat.parallelToolCalls)
        #expect(
            chat.tokenLimit == 9 && chat.sampling.stop == ["END"] && chat.sampling.topK == 3 && !chat.stream && chat.addGenerationPrompt)
        // What is sent on is read again as a chat.
        #expect(try ChatCompletionRequest(json: chat.json).messages == chat.messages)
    }

    @Test("an answer that the client has begun is gone on with")
    func prefill() throws {
        let chat = try chat(#"{"max_tokens":9,"messages":[{"role":"user","content":"Rome?"},{"role":"assistant","content":"It is"}]}"#)
        #expect(chat.continueFinalMessage && !chat.addGenerationPrompt)
    }

    @Test("pictures travel as addresses")
    func pictures() throws {
        let chat = try chat(
            #"{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},{"type":"text","text":"What?"}]}]}"#
        )
        #expect(chat.messages[0].content == .parts([.image(url: "data:image/png;base64,AA=="), .text("What?")]))
    }

    @Test(
        "what cannot be served is refused by name",
        arguments: [
            (#"{"messages":[{"role":"user","content":"a"}]}"#, "body.max_tokens"),
            (#"{"max_tokens":1,"messages":[{"role":"system","content":"a"}]}"#, "body.messages.0.role"),
            (#"{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"video"}]}]}"#, "body.messages.0.content.0.type"),
            (
                #"{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]}]}"#,
                "body.messages.0.content.0"
            ),
            (
                #"{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","data":""}}]}]}"#,
                "body.messages.0.content.0.source.type"
            ),
            (
                #"{"max_tokens":1,"messages":[{"role":"user","content":"a"}],"tools":[{"type":"bash_20250124","name":"bash"}]}"#,
                "body.tools.0.type"
            ),
            (
                #"{"max_tokens":1,"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"tool","name":"x"}}"#,
                "body.tool_choice.name"
            ),
            (#"{"max_tokens":1,"messages":[{"role":"user","content":"a"}],"temperature":1.5}"#, "body.temperature"),
        ])
    func refused(json: String, param: String) throws {
        let error = #expect(throws: APIError.self) { try chat(json) }
        #expect(error?.param == param && error?.status == 400)
    }

    private func events(_ chunks: [String]) throws -> [JSONValue] {
        var stream = MessageStream()
        return try chunks.flatMap { stream.push(try ChatCompletionChunk(json: try JSONValue.parse($0))) } + stream.end()
    }

    @Test("a stream has its blocks one after the other, each begun and ended")
    func stream() throws {
        let events = try events([
            #"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":7,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":5}}}"#,
            #"{"choices":[{"index":0,"delta":{"reasoning":"hm"}}]}"#, #"{"choices":[{"index":0,"delta":{"content":"Hi"}}]}"#,
            #"{"choices":[{"index":0,"delta":{"content":"!"}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"a","arguments":""}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"b","arguments":"{\"x\":1}"}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":5}}}"#,
        ])
        let names = events.map { ($0["type"]?.stringValue ?? "") + ($0["index"]?.intValue.map { " \($0)" } ?? "") }
        #expect(
            names == [
                "message_start", "ping", "content_block_start 0", "content_block_delta 0", "content_block_stop 0", "content_block_start 1",
                "content_block_delta 1",
                "content_block_delta 1", "content_block_stop 1", "content_block_start 2", "content_block_delta 2", "content_block_stop 2",
                "content_block_start 3",
                "content_block_delta 3", "content_block_stop 3", "message_delta", "message_stop",
            ])
        let usage = events[0]["message"]?["usage"]
        #expect(usage?["input_tokens"] == 2 && usage?["cache_read_input_tokens"] == 5)
        #expect(
            events.last { $0["type"] == "content_block_start" }?["content_block"] == [
                "type": "tool_use", "id": "c1", "name": "b", "input": [:],
            ])
        let end = events[events.count - 2]
        #expect(end["delta"] == ["stop_reason": "tool_use", "stop_sequence": nil] && end["usage"]?["output_tokens"] == 4)
    }

    @Test(
        "why an answer ended",
        arguments: [
            (#""finish_reason":"stop","stop_reason":null"#, "end_turn", nil),
            (#""finish_reason":"stop","stop_reason":"END""#, "stop_sequence", "END"),
            (#""finish_reason":"stop","stop_reason":2"#, "end_turn", nil), (#""finish_reason":"length""#, "max_tokens", nil),
            (#""finish_reason":"content_filter""#, "refusal", nil),
        ] as [(String, String, String?)])
    func end(fields: String, reason: String, sequence: String?) throws {
        let completion = try ChatCompletion(
            json: try JSONValue.parse(#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},\#(fields)}]}"#))
        let message = MessageReply(completion)
        #expect(message.stopReason == reason && message.stopSequence == sequence && message.content == [.text("Hi")])
    }
}
