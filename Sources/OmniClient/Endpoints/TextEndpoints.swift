import OmniAPI

extension OmniClient {
    /// `/v1/completions`: text that goes on from a prompt.
    public var completions: Completions { Completions(transport: transport) }
    /// `/v1/embeddings`.
    public var embeddings: Embeddings { Embeddings(transport: transport) }
    /// `/tokenize` and `/detokenize`, of swift-omni and vLLM.
    public var tokens: Tokens { Tokens(transport: transport) }

    public struct Completions: Sendable {
        let transport: Transport

        public func create(_ request: CompletionRequest, _ options: CallOptions = CallOptions()) async throws -> TextCompletion {
            var request = request
            request.stream = false
            request.streamOptions = nil
            return try await transport.json(.post("/v1/completions", request, options))
        }

        /// Each element has the text that it adds.
        public func stream(_ request: CompletionRequest, _ options: CallOptions = CallOptions()) async throws -> EventStream<TextCompletion>
        {
            var request = request
            request.stream = true
            if request.streamOptions == nil { request.streamOptions = StreamOptions(includeUsage: true) }
            return EventStream(
                try await transport.send(.post("/v1/completions", request, options)),
                decode: { _, json in [try TextCompletion(json: json, at: .root("event"))] },
                whole: { [try TextCompletion(json: $0, at: .root("reply"))] })
        }
    }

    public struct Embeddings: Sendable {
        let transport: Transport

        /// Vectors, in the order of the inputs. They travel as base64, at half the bytes.
        public func create(_ request: EmbeddingRequest, _ options: CallOptions = CallOptions()) async throws -> EmbeddingReply {
            try await transport.json(.post("/v1/embeddings", request, always: [("encoding_format", "base64")], options))
        }
    }

    public struct Tokens: Sendable {
        let transport: Transport

        public func encode(_ request: TokenizeRequest, _ options: CallOptions = CallOptions()) async throws -> TokenizeReply {
            try await transport.json(.post("/tokenize", request, options))
        }

        /// The text of tokens.
        public func decode(_ tokens: [Int], model: String? = nil, _ options: CallOptions = CallOptions()) async throws -> String {
            var request = DetokenizeRequest()
            request.tokens = tokens
            request.model = model
            return try await transport.json(.post("/detokenize", request, options), as: DetokenizeReply.self).prompt
        }
    }
}
