import OmniAPI
import Testing

@testable import OmniGatewayServer

@Suite("OpenAI's Responses API")
struct ResponseTests {
    private func request(_ json: String) throws -> ResponsesRequest { try ResponsesRequest(json: try JSONValue.parse(json)) }

    @Test("items become the chat that they stand for")
    func chat() throws {
        let asked = try request(
            #"""
            {"model":"m","instructions":"Be brief.","max_output_tokens":9,"tools":[{"type":"function","name":"weather","parameters":{"type":"object"},"strict":true}],
             "tool_choice":{"type":"function","name":"weather"},"text":{"format":{"type":"json_schema","name":"a","schema":{"type":"object"},"strict":true}},
             "input":[{"role":"user","content":[{"type":"input_text","text":"Rome?"},{"type":"input_image","image_url":"data:image/png;base64,AA=="}]},
              {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
              {"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look.","annotations":[]}]},
              {"type":"function_call","call_id":"c1","name":"weather","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"weather","arguments":"{}"},
              {"type":"function_call_output","call_id":"c1","output":"sun"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"rain"}]}]}
            """#)
        let chat = asked.chat(after: [])
        #expect(chat.messages.map(\.role) == [.system, .user, .assistant, .tool, .tool])
        #expect(chat.messages[1].content == .parts([.text("Rome?"), .image(url: "data:image/png;base64,AA==")]))
        #expect(
            chat.messages[2].reasoningContent == "hm" && chat.messages[2].content == .text("I look.")
                && chat.messages[2].toolCalls?.map(\.id) == ["c1", "c2"])
        #expect(chat.messages[3].toolCallID == "c1" && chat.messages[4].content == .text("rain"))
        #expect(chat.toolChoice == .function("weather") && chat.tools?.first?.function.strict == true && chat.tokenLimit == 9)
        #expect(chat.responseFormat == .jsonSchema(name: "a", schema: JSONObject([("type", "object")])))
        #expect(try ChatCompletionRequest(json: chat.json).messages == chat.messages)
    }

    @Test("an earlier conversation stands between the instructions and the new input")
    func earlier() throws {
        let earlier = try request(#"{"input":"My name is Ada."}"#).input
        let chat = try request(#"{"input":"Who am I?","instructions":"Be brief."}"#).chat(after: earlier)
        #expect(chat.messages.map { $0.content?.text } == ["Be brief.", "My name is Ada.", "Who am I?"])
    }

    @Test(
        "what cannot be served is refused by name",
        arguments: [
            (#"{}"#, "body.input"), (#"{"input":[]}"#, "body.input"), (#"{"input":[{"type":"item_reference","id":"x"}]}"#, "body.input.0"),
            (#"{"input":[{"role":"tool","content":"x"}]}"#, "body.input.0.role"),
            (#"{"input":[{"type":"computer_call"}]}"#, "body.input.0.type"),
            (#"{"input":[{"role":"user","content":[{"type":"input_file","file_id":"x"}]}]}"#, "body.input.0.content.0"),
            (#"{"input":[{"role":"user","content":[{"type":"input_image","file_id":"x"}]}]}"#, "body.input.0.content.0.file_id"),
            (#"{"input":"a","background":true}"#, "body.background"),
            (#"{"input":"a","tools":[{"type":"web_search"}]}"#, "body.tools.0.type"),
            (#"{"input":"a","tool_choice":"required"}"#, "body.tool_choice"),
            (#"{"input":"a","text":{"format":{"type":"json_schema"}}}"#, "body.text.format.schema"),
            (#"{"input":"a","metadata":{"a":1}}"#, "body.metadata.a"), (#"{"input":"a","temperature":3}"#, "body.temperature"),
        ])
    func refused(json: String, param: String) throws {
        let error = #expect(throws: APIError.self) { try request(json) }
        #expect(error?.param == param && error?.status == 400)
    }

    private func stream(_ chunks: [String]) throws -> (events: [JSONValue], response: JSONValue) {
        var stream = ResponseStream(try request(#"{"input":"a"}"#), model: "m", now: 7)
        var events = stream.begin()
        for chunk in chunks { events += stream.push(try ChatCompletionChunk(json: try JSONValue.parse(chunk))) }
        events += stream.end(now: 9)
        events.append(stream.last())
        return (events, stream.response.json)
    }

    @Test("thoughts, words and calls are items, each begun and ended, and numbered events tell of them")
    func events() throws {
        let (events, response) = try stream([
            #"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":7,"completion_tokens":0}}"#,
            #"{"choices":[{"index":0,"delta":{"reasoning":"h"}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}"#,
            #"{"choices":[{"index":0,"delta":{"reasoning":"m"}}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
            #"{"choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"a","arguments":"{"}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":6,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        ])
        #expect(events.map { $0["sequence_number"]?.intValue } == Array(0..<events.count))
        #expect(
            events.map { $0["type"]?.stringValue?.replacing("response.", with: "") } == [
                "created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.delta",
                "reasoning_text.done",
                "content_part.done", "output_item.done", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
                "content_part.done",
                "output_item.done", "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done", "completed",
            ])
        #expect(events.compactMap { $0["output_index"]?.intValue } == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
        let output = response["output"]?.arrayValue ?? []
        #expect(output.map { $0["type"]?.stringValue } == ["reasoning", "message", "function_call"])
        #expect(output[0]["content"] == [["type": "reasoning_text", "text": "hm"]])
        #expect(output[2]["arguments"] == "{}" && output[2]["call_id"] == "c0" && output[2]["status"] == "completed")
        #expect(response["usage"]?["output_tokens_details"]?["reasoning_tokens"] == 2 && response["usage"]?["total_tokens"] == 13)
        #expect(response["status"] == "completed" && response["completed_at"] == 9 && response["text"] == ["format": ["type": "text"]])
        // The output is input to the next turn.
        #expect(
            try output.map { try ResponseItem(json: $0, at: .body).kind } == [
                .reasoning("hm"), .message(.assistant, .text("Hi")), .functionCall(id: "c0", name: "a", arguments: "{}"),
            ])
    }

    @Test("an answer that was cut says so")
    func cut() throws {
        let (events, response) = try stream([#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"length"}]}"#])
        #expect(events.last?["type"] == "response.incomplete" && response["incomplete_details"] == ["reason": "max_output_tokens"])
        #expect(response["output"]?[0]?["status"] == "incomplete" && response["completed_at"] == .null)
    }

    @Test("pages of items")
    func pages() {
        let items: [JSONValue] = (0..<5).map { ["id": .string("i\($0)")] }
        var query = ResponseItemQuery()
        query.limit = 2
        var page = ResponseItemList(items, query)
        #expect(page.firstID == "i4" && page.lastID == "i3" && page.hasMore)
        (query.after, query.order) = ("i2", .ascending)
        page = ResponseItemList(items, query)
        #expect(page.firstID == "i3" && page.lastID == "i4" && !page.hasMore)
    }
}
