import Testing

@testable import OmniAPI

/// Requests to rerankers and classifiers, and their replies.
@Suite("Retrieval")
struct RetrievalTests {
    private func refusal<Body: WireObject>(_ type: Body.Type, _ text: String) throws -> String? {
        let json = try JSONValue.parse(text)
        do {
            _ = try Body(json: json)
            return nil
        } catch let error as APIError {
            #expect(error.status == 400)
            return error.param ?? "none"
        }
    }

    @Test(
        "rerank",
        arguments: [
            (#"{"query":"q","documents":["a","b"]}"#, nil), (#"{"query":"q","documents":"a","top_n":5}"#, nil),
            (#"{"query":"q","documents":[{"text":"a"},"b"],"return_documents":false,"max_tokens_per_doc":9}"#, nil),
            ("{}", "body.query"), (#"{"query":"q"}"#, "body.documents"), (#"{"query":"q","documents":[]}"#, "body.documents"),
            (#"{"query":["q"],"documents":["a"]}"#, "body.query"), (#"{"query":"q","documents":["a",5]}"#, "body.documents.1"),
            (#"{"query":"q","documents":[{"image":"a"}]}"#, "body.documents.0.text"),
            (#"{"query":"q","documents":["a"],"top_n":-1}"#, "body.top_n"),
            (#"{"query":"q","documents":["a"],"truncate_prompt_tokens":0}"#, "body.truncate_prompt_tokens"),
            (#"{"query":"q","documents":["a"],"truncation_side":"middle"}"#, "body.truncation_side"),
        ])
    func rerank(text: String, param: String?) throws { #expect(try refusal(RerankRequest.self, text) == param) }

    @Test(
        "score",
        arguments: [
            (#"{"text_1":"q","text_2":["a","b"]}"#, nil), (#"{"queries":["p","q"],"documents":["a","b"]}"#, nil),
            (#"{"data_1":"q","data_2":"a"}"#, nil), (#"{"queries":"q","items":["a"]}"#, nil),
            (#"{"text_1":["p","q"],"text_2":["a","b","c"]}"#, "body.text_1"), (#"{"text_1":"q"}"#, "body.text_2"),
            (#"{"text_1":[],"text_2":["a"]}"#, "body.text_1"),
        ])
    func score(text: String, param: String?) throws { #expect(try refusal(ScoreRequest.self, text) == param) }

    @Test(
        "classify and pooling",
        arguments: [
            (#"{"input":["a",[1,2]]}"#, nil), ("{}", "body.input"), (#"{"input":"a","use_activation":3}"#, "body.use_activation"),
            (#"{"input":"a","truncate_prompt_tokens":-2}"#, "body.truncate_prompt_tokens"),
        ])
    func classify(text: String, param: String?) throws {
        #expect(try refusal(ClassificationRequest.self, text) == param)
        #expect(try refusal(PoolingRequest.self, text) == param)
    }

    @Test("many inputs are taken at once, and more than that are refused")
    func inputs() throws {
        let texts = JSONValue.array(Array(repeating: "a", count: 2048))
        #expect(try EmbeddingRequest(json: ["input": texts]).input.count == 2048)
        #expect(throws: APIError.self) { try EmbeddingRequest(json: ["input": .array(Array(repeating: "a", count: 2049))]) }
    }

    @Test("a reply of vLLM's is read, and one of Cohere's without documents and usage")
    func replies() throws {
        let whole = try RerankReply(
            json: [
                "id": "r", "model": "m", "usage": ["prompt_tokens": 3, "total_tokens": 3],
                "results": [["index": 1, "document": ["text": "b", "multi_modal": nil], "relevance_score": 0.5]],
            ])
        #expect(whole.results[0].document?.text == "b" && whole.usage.totalTokens == 3)
        let bare = try RerankReply(json: ["id": "r", "results": [["index": 0, "relevance_score": 1]]])
        #expect(bare.results[0].relevanceScore == 1 && bare.results[0].document == nil)
        #expect(bare.json["results"]?[0]?["document"] == nil)
        let classes = try ClassificationReply(json: [
            "model": "m", "data": [["index": 0, "label": "a", "probs": [0.5, 0.5], "num_classes": 2]],
        ])
        #expect(classes.data[0].probabilities == [0.5, 0.5])
    }
}
