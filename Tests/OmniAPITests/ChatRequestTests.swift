import OmniAPI
import Testing

/// The `param` of the error that decoding gives, nil when it decodes. Any other status than 400 fails.
func refusal<Body: WireObject>(_: Body.Type, _ text: String) throws -> String? {
    do {
        _ = try Body(json: try JSONValue.parse(text))
        return nil
    } catch let error as APIError {
        #expect(error.status == 400)
        #expect(!error.message.isEmpty)
        return error.param ?? "no param"
    }
}

@Suite("Chat requests")
struct ChatRequestTests {
    private func decode(_ fields: String) throws -> ChatCompletionRequest {
        try ChatCompletionRequest(json: try JSONValue.parse(body(fields)))
    }

    private func body(_ fields: String) -> String {
        #"{"messages":[{"role":"user","content":"hi"}]\#(fields.isEmpty ? "" : "," + fields)}"#
    }

    @Test("the defaults are OpenAI's")
    func defaults() throws {
        let request = try decode("")
        #expect(request.n == 1 && !request.stream && request.tokenLimit == nil && !request.logprobs && request.parallelToolCalls)
        #expect(request.sampling == SamplingParameters())
        #expect(request.messages == [ChatMessage(.user, "hi")])
    }

    @Test(
        "values at the ends of their ranges are taken",
        arguments: [
            #""temperature":0"#, #""temperature":2"#, #""top_p":1"#, #""top_p":0.0001"#, #""top_k":-1"#, #""min_p":0"#, #""min_p":1"#,
            #""n":1"#, #""n":128"#,
            #""max_tokens":1"#, #""presence_penalty":-2"#, #""presence_penalty":2"#, #""frequency_penalty":2"#,
            #""repetition_penalty":0.01"#,
            #""seed":-9223372036854775808"#, #""seed":9223372036854775807"#, #""logprobs":true,"top_logprobs":20"#, #""top_logprobs":0"#,
            #""logprobs":false,"top_logprobs":0"#, #""logprobs":true,"top_logprobs":0"#,
            #""logit_bias":{"0":-100,"7":100}"#, #""logit_bias":{}"#, #""stop":[]"#, #""stop":null"#, #""stop":"x""#, #""min_tokens":0"#,
            #""stop_token_ids":[0]"#,
        ])
    func inRange(fields: String) throws {
        _ = try decode(fields)
    }

    @Test(
        "values beyond them are refused by name",
        arguments: [
            (#""temperature":-0.1"#, "temperature"), (#""top_p":0"#, "top_p"), (#""top_p":1.01"#, "top_p"), (#""top_k":-2"#, "top_k"),
            (#""min_p":-0.1"#, "min_p"),
            (#""n":0"#, "n"), (#""n":129"#, "n"), (#""max_tokens":0"#, "max_tokens"),
            (#""max_completion_tokens":-1"#, "max_completion_tokens"),
            (#""presence_penalty":2.1"#, "presence_penalty"), (#""frequency_penalty":-2.1"#, "frequency_penalty"),
            (#""repetition_penalty":0"#, "repetition_penalty"),
            (#""logprobs":true,"top_logprobs":21"#, "top_logprobs"), (#""top_logprobs":1"#, "top_logprobs"),
            (#""logit_bias":{"1":100.5}"#, "logit_bias.1"),
            (#""logit_bias":{"-1":1}"#, "logit_bias"), (#""logit_bias":{"x":1}"#, "logit_bias"), (#""stop":["a",""]"#, "stop.1"),
            (#""stop":[1]"#, "stop.0"),
            (#""stop_token_ids":[-1]"#, "stop_token_ids.0"), (#""min_tokens":-1"#, "min_tokens"), (#""request_id":"""#, "request_id"),
            (#""stream_options":{"include_usage":true}"#, "stream_options"),
            (#""stream":true,"stream_options":{"include_usage":"perhaps"}"#, "stream_options.include_usage"),
            (#""stream":true,"stream_options":[]"#, "stream_options"), (#""seed":18446744073709551616"#, "seed"), (#""seed":0.5"#, "seed"),
            (#""chat_template_kwargs":[]"#, "chat_template_kwargs"),
        ])
    func outOfRange(fields: String, param: String) throws {
        #expect(try refusal(ChatCompletionRequest.self, body(fields)) == "body.\(param)")
    }

    @Test("a message is begun or continued, not both, and beginning is the default")
    func continuation() throws {
        #expect(try refusal(ChatCompletionRequest.self, body(#""continue_final_message":true"#)) == "body.continue_final_message")
        #expect(
            try refusal(ChatCompletionRequest.self, body(#""continue_final_message":true,"add_generation_prompt":true"#))
                == "body.continue_final_message")
        #expect(try refusal(TokenizeRequest.self, body(#""continue_final_message":true"#)) == "body.continue_final_message")
        #expect(try decode(#""continue_final_message":true,"add_generation_prompt":false"#).answerRole == .user)
        #expect(try decode("").answerRole == .assistant)
    }

    @Test("echo repeats the last message where the answer has its role")
    func echo() throws {
        #expect(try decode(#""echo":true"#).echoedText == "")
        #expect(try decode(#""echo":true,"add_generation_prompt":false"#).echoedText == "hi")
        var request = try decode(#""echo":true"#)
        request.messages.append(ChatMessage(.assistant, "Once"))
        #expect(request.echoedText == "Once")
        request.echo = false
        #expect(request.echoedText == "")
    }

    @Test(
        "pydantic's lax spellings count",
        arguments: [
            (#""n":"2""#, 2), (#""n":2.0"#, 2), (#""n":" 2 ""#, nil), (#""n":2.5"#, nil), (#""n":"2.5""#, nil), (#""n":true"#, nil),
            (#""n":null"#, 1), (#""n":[2]"#, nil), (#""n":"""#, nil),
        ])
    func laxIntegers(fields: String, value: Int?) throws {
        if let value {
            #expect(try decode(fields).n == value)
        } else if fields != #""n":" 2 ""# {
            #expect(try refusal(ChatCompletionRequest.self, body(fields)) == "body.n")
        }
    }

    @Test(
        "and of booleans",
        arguments: [
            ("true", true), ("false", false), ("1", true), ("0", false), ("1.0", true), (#""yes""#, true), (#""off""#, false),
            (#""TRUE""#, true), (#""f""#, false), (#""1""#, true),
            ("2", nil), (#""maybe""#, nil), (#""""#, nil), ("null", false), ("[]", nil), ("{}", nil),
        ])
    func laxBooleans(text: String, value: Bool?) throws {
        if let value {
            #expect(try decode(#""stream":\#(text)"#).stream == value)
        } else {
            #expect(try refusal(ChatCompletionRequest.self, body(#""stream":\#(text)"#)) == "body.stream")
        }
    }

    @Test("and of numbers", arguments: [("0.5", 0.5), (#""0.5""#, 0.5), ("1", 1), (#""1e-1""#, 0.1), ("null", nil)])
    func laxNumbers(text: String, value: Double?) throws {
        #expect(try decode(#""temperature":\#(text)"#).sampling.temperature == value)
    }

    @Test("not those", arguments: ["true", #""hot""#, #""nan""#, #""inf""#, #""""#, "[]", "{}"])
    func noNumbers(text: String) throws {
        #expect(try refusal(ChatCompletionRequest.self, body(#""temperature":\#(text)"#)) == "body.temperature")
    }

    @Test("max_completion_tokens wins over max_tokens")
    func limits() throws {
        #expect(try decode(#""max_tokens":5"#).tokenLimit == 5)
        #expect(try decode(#""max_tokens":5,"max_completion_tokens":3"#).tokenLimit == 3)
    }

    @Test("unknown fields are gathered, known ones are not")
    func unknownFields() throws {
        var ignored = IgnoredFields()
        _ = try ChatCompletionRequest(json: try JSONValue.parse(body(#""n":1,"colour":"red","store":true,"":0"#)), ignored: &ignored)
        #expect(ignored.names == ["colour", "store", ""])
    }

    // MARK: - Messages

    @Test("every role, and content in both forms", arguments: ["system", "developer", "user", "assistant", "tool", "function"])
    func roles(role: String) throws {
        for content in [#""x""#, #"[{"type":"text","text":"x"}]"#, #"["x"]"#, #"[{"text":"x"}]"#] {
            let request = try ChatCompletionRequest(json: try JSONValue.parse(#"{"messages":[{"role":"\#(role)","content":\#(content)}]}"#))
            #expect(request.messages[0].content?.text == "x")
        }
    }

    @Test(
        "the place of a fault in the conversation",
        arguments: [
            ("{}", "messages"), (#"{"messages":null}"#, "messages"), (#"{"messages":[]}"#, "messages"), (#"{"messages":"hi"}"#, "messages"),
            (#"{"messages":[5]}"#, "messages.0"),
            (#"{"messages":[{"content":"x"}]}"#, "messages.0.role"),
            (#"{"messages":[{"role":"wizard","content":"x"}]}"#, "messages.0.role"),
            (#"{"messages":[{"role":"user","content":"x"},{"role":"user"}]}"#, "messages.1.content"),
            (#"{"messages":[{"role":"user","content":null}]}"#, "messages.0.content"),
            (#"{"messages":[{"role":"assistant"}]}"#, "messages.0.content"),
            (#"{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}"#, "messages.0.content"),
            (#"{"messages":[{"role":"user","content":7}]}"#, "messages.0.content"),
            (#"{"messages":[{"role":"user","content":[7]}]}"#, "messages.0.content.0"),
            (#"{"messages":[{"role":"user","content":[{"type":"smell"}]}]}"#, "messages.0.content.0.type"),
            (#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text"}]}]}"#, "messages.0.content.1.text"),
            (#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "messages.0.content.0.image_url"),
            (#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}"#, "messages.0.content.0.input_audio"),
            (
                #"{"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f"}}]}]}"#,
                "messages.0.tool_calls.0.function.arguments"
            ),
        ])
    func wrongMessages(text: String, param: String) throws {
        #expect(try refusal(ChatCompletionRequest.self, text) == "body.\(param)")
    }

    @Test("media parts in all their spellings")
    func media() throws {
        let parts: [(String, ChatPart)] = [
            (#"{"type":"image_url","image_url":{"url":"u"}}"#, .image(url: "u")),
            (#"{"type":"image_url","image_url":"u"}"#, .image(url: "u")),
            (#"{"type":"input_image","image_url":"u"}"#, .image(url: "u")), (#"{"image_url":{"url":"u"}}"#, .image(url: "u")),
            (#"{"image":"QUJD"}"#, .image(url: "data:image/png;base64,QUJD")),
            (#"{"type":"audio_url","audio_url":{"url":"u"}}"#, .audioURL("u")),
            (#"{"type":"video_url","video_url":{"url":"u"}}"#, .videoURL("u")),
            (#"{"type":"input_audio","input_audio":{"data":"QQ==","format":"mp3"}}"#, .audio(data: "QQ==", format: "mp3")),
            (#"{"type":"input_audio","input_audio":{"data":"QQ=="}}"#, .audio(data: "QQ==", format: "wav")),
            (#"{"type":"refusal","refusal":"no"}"#, .text("no")),
        ]
        for (text, part) in parts {
            let request = try ChatCompletionRequest(json: try JSONValue.parse(#"{"messages":[{"role":"user","content":[\#(text)]}]}"#))
            #expect(request.messages[0].content == .parts([part]), "\(text)")
        }
    }

    @Test("earlier reasoning comes back under either name", arguments: ["reasoning", "reasoning_content"])
    func reasoning(name: String) throws {
        let request = try ChatCompletionRequest(
            json: try JSONValue.parse(#"{"messages":[{"role":"assistant","content":"x","\#(name)":"hm"}]}"#))
        #expect(request.messages[0].reasoningContent == "hm")
    }

    // MARK: - Tools and forms

    private let tool = #"{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}"#

    @Test("choices of tools")
    func toolChoices() throws {
        for (text, choice) in [
            (#""none""#, ToolChoice.none), (#""auto""#, .auto), (#""required""#, .required),
            (#"{"type":"function","function":{"name":"f"}}"#, .function("f")),
        ] {
            #expect(try decode(#""tools":[\#(tool)],"tool_choice":\#(text)"#).toolChoice == choice)
        }
    }

    @Test("wrong tools are `tools`, wrong choices `tool_choice`")
    func wrongTools() throws {
        for (fields, param) in [
            (#""tools":[{"type":"function"}]"#, "tools"), (#""tools":[{"type":"web","function":{"name":"f"}}]"#, "tools"),
            (#""tools":[{"type":"function","function":{"name":""}}]"#, "tools"), (#""tools":[\#(tool),\#(tool)]"#, "tools"),
            (#""tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]"#, "tools"),
            (#""tool_choice":"required""#, "tool_choice"),
            (#""tools":[\#(tool)],"tool_choice":"f""#, "tool_choice"),
            (#""tools":[\#(tool)],"tool_choice":{"type":"function","function":{"name":"g"}}"#, "tool_choice"),
            (#""tools":[\#(tool)],"tool_choice":{"type":"function"}"#, "tool_choice"),
            (#""tool_choice":{"type":"function","function":{"name":"f"}}"#, "tool_choice"),
        ] {
            #expect(try refusal(ChatCompletionRequest.self, body(fields)) == "body.\(param)", "\(fields)")
        }
    }

    @Test("forms of answers, with the schema's keys in their order")
    func forms() throws {
        #expect(try decode(#""response_format":{"type":"text"}"#).responseFormat == .text)
        #expect(try decode(#""response_format":{"type":"json_object"}"#).responseFormat == .jsonObject)
        guard
            case .jsonSchema(let name, let schema) = try decode(
                #""response_format":{"type":"json_schema","json_schema":{"name":"p","schema":{"z":1,"a":2}}}"#
            ).responseFormat
        else { return #expect(Bool(false)) }
        #expect(name == "p" && schema.keys == ["z", "a"])
        for wrong in [
            #""json""#, "{}", #"{"type":"xml"}"#, #"{"type":"json_schema"}"#, #"{"type":"json_schema","json_schema":{"schema":1}}"#,
        ] {
            #expect(try refusal(ChatCompletionRequest.self, body(#""response_format":\#(wrong)"#)) == "body.response_format", "\(wrong)")
        }
    }

    @Test("what is sent decodes to what was meant, and defaults are not sent")
    func roundTrip() throws {
        let text = #"""
            {"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"u"}}]},
            {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"c"}],
            "model":"m","n":2,"max_tokens":9,"stream":true,"stream_options":{"include_usage":true},"logprobs":true,"top_logprobs":3,
            "tools":[\#(tool)],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"response_format":{"type":"json_object"},
            "temperature":0.5,"top_p":0.9,"top_k":5,"min_p":0.1,"frequency_penalty":1.5,"presence_penalty":-1.5,"repetition_penalty":1.1,"logit_bias":{"5":2.5},
            "seed":4,"stop":["a","b"],"stop_token_ids":[3],"ignore_eos":true,"min_tokens":2}
            """#
        let first = try ChatCompletionRequest(json: try JSONValue.parse(text))
        let sent = first.json
        let second = try ChatCompletionRequest(json: try JSONValue.parse(sent.jsonText))
        #expect(second.json == sent)
        #expect(sent == (try JSONValue.parse(text)))
        #expect(try decode("").json == (try JSONValue.parse(body(""))))
    }
}
