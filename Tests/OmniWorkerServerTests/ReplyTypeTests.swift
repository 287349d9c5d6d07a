import NIOCore
import OmniAPI
import OmniEngine
import Testing

@testable import OmniWorkerServer

/// What the server writes is what the reply types, and with them the SDK and the OpenAPI document, say.
@Suite("Replies and their types")
struct ReplyTypeTests {
    /// Every member that the type promises is there, and the whole reads as the type.
    private func read<Reply: WireObject>(_: Reply.Type, _ json: JSONValue) throws -> Reply {
        for name in Reply.schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
            #expect(json[name] != nil, "\(Reply.schemaName).\(name)")
        }
        return try Reply(json: json, at: .root("reply"))
    }

    private let events: [TextEvent] = [
        .text(index: 0, "Hello", logprobs: [TokenLogprob(token: "Hello", logprob: -0.5, bytes: Array("Hello".utf8))]),
        .toolCall(index: 0, call: 0, id: "c0", name: "f", arguments: "{}"), .finished(index: 0, .stop, stopReason: .null),
        .usage(Usage(promptTokens: 7, completionTokens: 1)),
    ]

    private func gathered() -> ChatAnswer {
        var answer = ChatAnswer(choices: 1)
        for event in events { answer.add(event) }
        return answer
    }

    @Test("chat, whole and in chunks")
    func chat() throws {
        let text = #"{"messages":[{"role":"user","content":"hi"}],"logprobs":true,"stream":true,"stream_options":{"include_usage":true}}"#
        let reply = ChatReply(id: "1", model: "m", request: try ChatCompletionRequest(json: try JSONValue.parse(text)))
        let whole = try read(ChatCompletion.self, reply.completion(gathered()))
        #expect(whole.text == "Hello" && whole.choices[0].message.toolCalls?.first?.function.name == "f" && whole.usage?.promptTokens == 7)
        #expect(whole.choices[0].logprobs?.content?.first?.logprob == -0.5)
        let message = try #require(reply.completion(gathered())["choices"]?[0]?["message"])
        _ = try read(ChatAnswerMessage.self, message)
        var said = ""
        for event in events {
            let bytes = try #require(reply.chunk(event))
            let chunk = try read(ChatCompletionChunk.self, try JSONValue.parse(String(buffer: bytes).dropFirst(6).utf8))
            said += chunk.text
        }
        #expect(said == "Hello")
    }

    @Test("completions, whole and in pieces")
    func completions() throws {
        let reply = CompletionReply(id: "1", model: "m", request: try CompletionRequest(json: ["prompt": "x", "logprobs": 1]))
        let whole = try read(TextCompletion.self, reply.completion(gathered()))
        #expect(whole.text == "Hello" && whole.choices[0].finishReason == "stop")
        var offsets: [Int: Int] = [:]
        let piece = try #require(reply.chunk(events[0], offsets: &offsets))
        #expect(try read(TextCompletion.self, piece).text == "Hello")
    }
}
