import Testing

@testable import OmniClient

/// Rerankers and classifiers through the client.
@Suite("Retrieval", .timeLimit(.minutes(10)))
struct RetrievalTests {
    @Test("each call goes to its path, and its reply is read")
    func calls() async throws {
        try await StandIn.serving { request in
            switch request.uri {
            case "/v1/rerank":
                .json(#"{"id":"r","model":"m","usage":{"prompt_tokens":3,"total_tokens":3},"results":[{"index":1,"relevance_score":0.5}]}"#)
            case "/score":
                .json(#"{"object":"list","model":"m","data":[{"index":0,"object":"score","score":0.25}],"usage":{"prompt_tokens":3}}"#)
            default: .json(#"{"object":"list","model":"m","data":[{"index":0,"label":"a","probs":[1,0],"num_classes":2}]}"#)
            }
        } _: { server in
            let client = OmniClient(OmniClient.Configuration(baseURL: server.baseURL, environment: [:]))
            let ranked = try await client.rerank(RerankRequest("q", documents: ["a", "b"], topN: 1))
            #expect(ranked.results.map(\.index) == [1] && ranked.usage.totalTokens == 3)
            let scored = try await client.score(ScoreRequest("q", with: ["a"]))
            #expect(scored.data.map(\.score) == [0.25])
            let classes = try await client.classify(ClassificationRequest(["a"]))
            #expect(classes.data.first?.label == "a" && classes.data.first?.probabilities == [1, 0])
            #expect(server.seen.map(\.uri) == ["/v1/rerank", "/score", "/classify"])
        }
    }
}
