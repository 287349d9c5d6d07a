import OmniAPI
import Testing

@testable import OmniGatewayServer

@Suite("Chunks of an answer that is spoken")
struct SpokenChunkTests {
    func read(_ choices: String, rest: String = "") throws -> SpokenChunk {
        SpokenChunk(try JSONValue.parse(#"{"id":"c","choices":\#(choices)\#(rest)}"#))
    }

    @Test("words go on at once")
    func words() throws {
        let chunk = try read(#"[{"index":0,"delta":{"content":"Hi. "},"finish_reason":null}]"#)
        #expect(chunk.text == "Hi. " && chunk.finish == nil && chunk.usage == nil)
        #expect(
            chunk.rest?.jsonText == #"{"id":"c","choices":[{"index":0,"delta":{"content":"Hi. "},"finish_reason":null}],"modality":"text"}"#
        )
    }

    @Test("the last words may stand in the chunk that ends the answer: they are kept, the reason waits for the sound")
    func lastWords() throws {
        let chunk = try read(#"[{"index":0,"delta":{"content":"Bye."},"finish_reason":"stop"}]"#)
        #expect(chunk.text == "Bye." && chunk.finish == "stop")
        #expect(
            chunk.rest?.jsonText == #"{"id":"c","choices":[{"index":0,"delta":{"content":"Bye."},"finish_reason":null}],"modality":"text"}"#
        )
        let calls = try read(#"[{"index":0,"delta":{"tool_calls":[{"index":0}]},"finish_reason":"tool_calls"}]"#)
        #expect(calls.text.isEmpty && calls.finish == "tool_calls" && calls.rest != nil)
    }

    @Test(
        "an end without words is not sent on",
        arguments: [
            #"[{"index":0,"delta":{},"finish_reason":"length"}]"#, #"[{"index":0,"delta":{"content":""},"finish_reason":"length"}]"#,
            #"[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":"length"}]"#,
        ])
    func end(choices: String) throws {
        let chunk = try read(choices)
        #expect(chunk.text.isEmpty && chunk.finish == "length" && chunk.rest == nil)
    }

    @Test("the first choice is the one whose index says so, wherever it stands")
    func choices() throws {
        let chunk = try read(
            #"[{"index":1,"delta":{"content":"other"},"finish_reason":"stop"},{"index":0,"delta":{"content":"spoken"},"finish_reason":null}]"#
        )
        #expect(chunk.text == "spoken" && chunk.finish == nil && chunk.rest?["choices"]?.arrayValue?.count == 2)
    }

    @Test("counts stand in a chunk of their own, or beside the end")
    func usage() throws {
        #expect(try read("[]", rest: #","usage":{"total_tokens":3}"#).usage?["total_tokens"] == 3)
        let chunk = try read(#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#, rest: #","usage":{"total_tokens":3}"#)
        #expect(chunk.usage?["total_tokens"] == 3 && chunk.finish == "stop" && chunk.rest == nil)
        #expect(try read("[]", rest: #","usage":null"#).usage == nil)
    }
}
