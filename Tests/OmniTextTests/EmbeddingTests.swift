import Foundation
import Logging
import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("Embeddings", .serialized, .timeLimit(.minutes(10)))
struct EmbeddingTests {
    private func engine() async throws -> EmbeddingEngine {
        var options = TextEngineOptions()
        options.threads = 1
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "Fixtures/text")
        let model = try await TextEngine.load(
            path: folder.appending(path: "tiny-embed.gguf").path, options: options, lane: FreeLane(), logger: Logger(label: "test"))
        return try #require(model as? EmbeddingEngine)
    }

    private func request(_ texts: [String], dimensions: Int? = nil) -> EmbeddingRequest {
        var request = EmbeddingRequest()
        request.input = texts.map { .text($0) }
        request.dimensions = dimensions
        return request
    }

    @Test("every text has its vector of length one, the same each time, also in company")
    func vectors() async throws {
        let engine = try await engine()
        let scope = RequestScope(id: "e")
        let both = try await engine.embed(request(["abc", "xyz"]), scope: scope)
        let alone = try await engine.embed(request(["xyz"]), scope: scope)
        #expect(both.vectors.map(\.count) == [32, 32])
        // In company attention sums in another order, and ggml's GELU reads a table of f16.
        for (left, right) in zip(both.vectors[1], alone.vectors[0]) { #expect(abs(left - right) < 2e-4) }
        #expect(try await engine.embed(request(["abc", "xyz"]), scope: scope).vectors == both.vectors)
        #expect(both.vectors[0] != both.vectors[1])
        for vector in both.vectors { #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-4) }
        #expect(both.tokens > alone.tokens)
        #expect(engine.card.kind == .embedding)
        await engine.shutdown()
    }

    @Test("fewer dimensions are the first of them, normalised again; more are refused")
    func dimensions() async throws {
        let engine = try await engine()
        let full = try await engine.embed(request(["abc"]), scope: RequestScope(id: "e")).vectors[0]
        let short = try await engine.embed(request(["abc"], dimensions: 4), scope: RequestScope(id: "e")).vectors[0]
        #expect(short.count == 4)
        #expect(abs(short.reduce(0) { $0 + $1 * $1 } - 1) < 1e-4)
        #expect(abs(short[0] / short[1] - full[0] / full[1]) < 1e-3)
        await #expect(throws: APIError.self) { _ = try await engine.embed(request(["abc"], dimensions: 33), scope: RequestScope(id: "e")) }
        await engine.shutdown()
    }

    @Test("many texts at once are as each alone, and pairs are scored by the cosine of their vectors")
    func many() async throws {
        let engine = try await engine()
        let texts = (0..<50).map { "ab\($0) x" }
        let all = try await engine.embed(request(texts), scope: RequestScope(id: "e"))
        let one = try await engine.embed(request([texts[41]]), scope: RequestScope(id: "e"))
        for (left, right) in zip(all.vectors[41], one.vectors[0]) { #expect(abs(left - right) < 2e-4) }
        var rerank = RerankRequest()
        (rerank.query, rerank.documents) = (texts[0], [texts[0], texts[41]])
        let scores = try await engine.score(TextPairs(rerank), scope: RequestScope(id: "e")).scores
        let cosine = zip(all.vectors[0], all.vectors[41]).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(scores[0] - 1) < 1e-4 && abs(scores[1] - cosine) < 1e-4)
        var raw = request([texts[0]])
        raw.usesActivation = false
        let length = try await engine.embed(raw, scope: RequestScope(id: "e")).vectors[0].reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(length - 1) > 1e-3)
        await engine.shutdown()
    }

    @Test("a text longer than the context is refused with 413")
    func tooLong() async throws {
        let engine = try await engine()
        let error = await #expect(throws: APIError.self) {
            _ = try await engine.embed(request([String(repeating: "abc ", count: 100)]), scope: RequestScope(id: "e"))
        }
        #expect(error?.status == 413)
        var cut = request([String(repeating: "abc ", count: 100)])
        cut.truncation.limit = 8
        #expect(try await engine.embed(cut, scope: RequestScope(id: "e")).tokens == 8)
        await engine.shutdown()
    }
}
