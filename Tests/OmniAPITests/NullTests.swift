import OmniAPI
import Testing

@Suite("null is a field that is not given")
struct NullTests {
    /// A request with nothing but what it must have.
    fileprivate struct Request: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Optional fields with their names, and how a request with one member more is read.
        let names: [String]
        let read: @Sendable (String) throws -> Void

        init<Body: WireObject>(_: Body.Type, _ minimal: String) {
            testDescription = Body.schemaName
            names = Body.fields.filter { !$0.isRequired && !minimal.contains("\"\($0.name)\":") }.map(\.name)
            read = { name in
                guard case .object(var object) = try JSONValue.parse(minimal) else { return }
                if !name.isEmpty { object[name] = .null }
                _ = try Body(json: .object(object))
            }
        }
    }

    fileprivate static let requests = [
        Request(ChatCompletionRequest.self, #"{"messages":[{"role":"user","content":"x"}]}"#),
        Request(CompletionRequest.self, #"{"prompt":"x"}"#),
        Request(EmbeddingRequest.self, #"{"input":"x"}"#),
        Request(TokenizeRequest.self, #"{"prompt":"x"}"#),
        Request(ImageGenerationRequest.self, #"{"prompt":"x"}"#),
        Request(SpeechRequest.self, #"{"input":"x"}"#),
        Request(VideoGenerationRequest.self, #"{"prompt":"x"}"#),
        Request(ResponsesRequest.self, #"{"input":"x"}"#),
        Request(MessagesRequest.self, #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#),
        Request(RealtimeSecretRequest.self, "{}"),
    ]

    @Test("every optional field of every request may be null, as the official clients type it", arguments: requests)
    fileprivate func optional(request: Request) throws {
        try request.read("")
        #expect(!request.names.isEmpty)
        for name in request.names { #expect(throws: Never.self, "\(name)") { try request.read(name) } }
    }
}
