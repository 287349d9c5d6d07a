import Testing

@testable import OmniAPI

/// The official clients type optional fields as `Optional[…]` and send null for what is not given.
@Suite("Null")
struct NullTests {
    /// A request type with the least that it needs.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let optionalFields: [String]
        let decode: @Sendable (JSONValue) throws -> JSONValue
        let least: JSONValue

        init<Body: WireObject>(_ type: Body.Type, _ least: JSONValue) {
            testDescription = "\(type)"
            optionalFields = Body.fields.filter { !$0.isRequired }.map(\.name)
            decode = { try Body(json: $0).json }
            self.least = least
        }
    }

    static let cases = [
        Case(ChatCompletionRequest.self, ["messages": [["role": "user", "content": "x"]], "stream": true]),
        Case(CompletionRequest.self, ["prompt": "x", "stream": true]),
        Case(EmbeddingRequest.self, ["input": "x"]), Case(TokenizeRequest.self, ["prompt": "x"]),
        Case(RerankRequest.self, ["query": "x", "documents": ["y"]]), Case(ScoreRequest.self, ["text_1": "x", "text_2": "y"]),
        Case(ClassificationRequest.self, ["input": "x"]), Case(PoolingRequest.self, ["input": "x"]),
        Case(DetokenizeRequest.self, ["tokens": [1]]),
        Case(ImageGenerationRequest.self, ["prompt": "x"]), Case(ImageEditRequest.self, ["prompt": "x"]),
        Case(ImageChatParameters.self, [:]), Case(ImageExtras.self, [:]),
        Case(LoRAReference.self, ["name": "x", "path": "/x"]), Case(SpeechRequest.self, ["input": "x"]),
        Case(SpeechBatchRequest.self, ["items": [["input": "x"]]]),
        Case(SpeechSessionConfig.self, [:]), Case(VideoGenerationRequest.self, ["prompt": "x"]), Case(VideoListQuery.self, [:]),
        Case(SleepRequest.self, ["stage_ids": [0]]),
        Case(StreamOptions.self, [:]), Case(StructuredOutputs.self, ["regex": "a"]),
        Case(ResponsesRequest.self, ["input": "x"]),
        Case(MessagesRequest.self, ["model": "m", "max_tokens": 1, "messages": [["role": "user", "content": "x"]]]),
        Case(TranscriptionRequest.self, [:]), Case(RealtimeSecretRequest.self, [:]),
    ]

    @Test("stands for a field that is not given, on every request", arguments: cases)
    func standsForAbsence(body: Case) throws {
        let absent = try body.decode(body.least)
        #expect(!body.optionalFields.isEmpty || body.testDescription == "DetokenizeRequest")
        // `max_tokens: null` of plain completions is vLLM's word for as many as fit; absent is OpenAI's 16.
        for name in body.optionalFields
        where body.least[name] == nil && !(name == "max_tokens" && body.testDescription == "CompletionRequest") {
            guard case .object(var object) = body.least else { continue }
            object[name] = .some(.null)
            #expect(try body.decode(.object(object)) == absent, "\(name)")
        }
    }

    @Test("is no value of a field that must be given")
    func requiredFields() throws {
        #expect(throws: APIError.self) { try ImageGenerationRequest(json: ["prompt": nil]) }
        #expect(throws: APIError.self) { try EmbeddingRequest(json: ["input": nil]) }
    }

    @Test("under one name does not hide the value under another")
    func aliases() throws {
        let lora = try LoRAReference(json: ["name": nil, "lora_name": "x", "path": "/x", "scale": nil, "lora_scale": 0.5])
        #expect(lora.name == "x" && lora.scale == 0.5)
    }

    @Test("beside a value elsewhere gives an image chat's parameter once")
    func imageChats() throws {
        var ignored = IgnoredFields()
        let json: JSONValue = ["messages": [["role": "user", "content": "x"]], "seed": nil, "extra_body": ["seed": 3]]
        #expect(try ImageChatRequest(json: json, ignored: &ignored).parameters.drawing.seed == 3)
    }

    @Test("the schema of an optional field allows it")
    func schemas() throws {
        let field = try #require(ChatCompletionRequest.fields.first { $0.name == "n" })
        #expect(field.schema()["anyOf"]?.arrayValue?.contains(["type": "null"]) == true)
        #expect(field.schema()["default"] == 1)
    }
}
