import OmniAPI
import Testing

@Suite("Completion, token and embedding requests")
struct OtherRequestTests {
    @Test("prompts in their four forms")
    func prompts() throws {
        for (text, prompts) in [
            (#""a""#, [CompletionRequest.Prompt.text("a")]), (#"["a","b"]"#, [.text("a"), .text("b")]), ("[1,2]", [.tokens([1, 2])]),
            ("[[1],[2,3]]", [.tokens([1]), .tokens([2, 3])]), (#"["a",[1]]"#, [.text("a"), .tokens([1])]), (#""""#, [.text("")]),
        ] {
            let request = try CompletionRequest(json: try JSONValue.parse(#"{"prompt":\#(text)}"#))
            #expect(request.prompts == prompts)
            #expect(try CompletionRequest(json: request.json).prompts == prompts, "round trip of \(text)")
        }
    }

    @Test("OpenAI's sixteen tokens by default, and null for as many as fit")
    func maxTokens() throws {
        #expect(try CompletionRequest(json: ["prompt": "a"]).maxTokens == 16)
        #expect(try CompletionRequest(json: ["prompt": "a", "max_tokens": nil]).maxTokens == nil)
        #expect(try CompletionRequest(json: ["prompt": "a", "max_tokens": 3]).maxTokens == 3)
        #expect(try CompletionRequest(json: ["prompt": "a", "max_tokens": 0, "echo": true]).maxTokens == 0, "the prompt alone")
    }

    @Test(
        "wrong completions",
        arguments: [
            ("{}", "prompt"), (#"{"prompt":null}"#, "prompt"), (#"{"prompt":[]}"#, "prompt"), (#"{"prompt":5}"#, "prompt"),
            (#"{"prompt":[[]]}"#, "prompt.0"),
            (#"{"prompt":["a",5]}"#, "prompt.1"), (#"{"prompt":[1,-1]}"#, "prompt.1"), (#"{"prompt":[1,"a"]}"#, "prompt.1"),
            (#"{"prompt":[[1],[-1]]}"#, "prompt.1.0"),
            (#"{"prompt":"a","logprobs":21}"#, "logprobs"), (#"{"prompt":"a","logprobs":-1}"#, "logprobs"), (#"{"prompt":"a","n":0}"#, "n"),
            (#"{"prompt":"a","suffix":"b"}"#, "suffix"),
            (#"{"prompt":"a","max_tokens":0}"#, "max_tokens"), (#"{"prompt":"a","stream_options":{}}"#, "stream_options"),
            (#"{"prompt":"a","echo":"perhaps"}"#, "echo"),
            (#"{"prompt":"a","logit_bias":{"a":1}}"#, "logit_bias"),
        ])
    func wrongCompletions(text: String, param: String) throws {
        #expect(try refusal(CompletionRequest.self, text) == "body.\(param)")
    }

    @Test("more prompts than a request may bring")
    func manyPrompts() throws {
        let list = { (count: Int) in "{\"prompt\":[" + Array(repeating: "\"a\"", count: count).joined(separator: ",") + "]}" }
        #expect(try refusal(CompletionRequest.self, list(256)) == nil)
        #expect(try refusal(CompletionRequest.self, list(257)) == "body.prompt")
    }

    @Test(
        "tokenize takes a prompt or a conversation, and not both",
        arguments: [
            (#"{"prompt":"a"}"#, nil), (#"{"messages":[{"role":"user","content":"a"}]}"#, nil), ("{}", "body.prompt"),
            (#"{"prompt":"a","messages":[{"role":"user","content":"a"}]}"#, "body.prompt"), (#"{"messages":[]}"#, "body.messages"),
            (#"{"prompt":5}"#, "body.prompt"),
        ])
    func tokenize(text: String, param: String?) throws {
        #expect(try refusal(TokenizeRequest.self, text) == param)
    }

    @Test(
        "detokenize",
        arguments: [
            (#"{"tokens":[]}"#, nil), (#"{"tokens":[1,2]}"#, nil), ("{}", "body.tokens"), (#"{"tokens":"1"}"#, "body.tokens"),
            (#"{"tokens":[1,-2]}"#, "body.tokens.1"),
            (#"{"tokens":[0.5]}"#, "body.tokens.0"),
        ])
    func detokenize(text: String, param: String?) throws {
        #expect(try refusal(DetokenizeRequest.self, text) == param)
    }

    @Test(
        "embeddings",
        arguments: [
            (#"{"input":"a"}"#, nil), (#"{"input":["a",[1]],"encoding_format":"base64","dimensions":8}"#, nil), ("{}", "body.input"),
            (#"{"input":[]}"#, "body.input"),
            (#"{"input":"a","encoding_format":"hex"}"#, "body.encoding_format"), (#"{"input":"a","dimensions":0}"#, "body.dimensions"),
        ])
    func embeddings(text: String, param: String?) throws {
        #expect(try refusal(EmbeddingRequest.self, text) == param)
    }

    @Test("whole bodies of the wrong type", arguments: ["[]", "5", "null", #""x""#, "true"])
    func notObjects(text: String) throws {
        #expect(try refusal(ChatCompletionRequest.self, text) == "body")
        #expect(try refusal(CompletionRequest.self, text) == "body")
        #expect(try refusal(TokenizeRequest.self, text) == "body")
        #expect(try refusal(EmbeddingRequest.self, text) == "body")
    }
}
