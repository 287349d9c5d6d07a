import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniTestSupport
import Synchronization
import Testing

@testable import OmniText

/// Scores and classes of tiny random cross encoders, beside those that transformers computes
/// (Tools/conversion/goldens.py, `pairs`).
@Suite("Scoring", .serialized, .timeLimit(.minutes(10)))
struct ScoringTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "OmniConversionTests/Fixtures")
    private let scope = RequestScope(id: "s")

    /// The engine of a checkpoint, and what transformers makes of its pairs.
    private func engine(_ name: String) async throws -> (engine: ClassifierEngine, pairs: [JSONValue], keeper: TemporaryFolder) {
        let golden = try JSONValue.parse(Data(contentsOf: Self.fixtures.appending(path: "checkpoints/\(name)/golden.json")))
        let folder = try TemporaryFolder()
        for source in ["checkpoints/\(name)", "tokenizers/\(try #require(golden["tokenizer"]?.stringValue))"] {
            let place = Self.fixtures.appending(path: source)
            for file in try FileManager.default.contentsOfDirectory(atPath: place.path) where !["golden.json", "ids.json"].contains(file) {
                try FileManager.default.copyItem(at: place.appending(path: file), to: folder.url.appending(path: file))
            }
        }
        let path = folder.url.appending(path: "out.gguf").path
        try Conversion(folder: folder.url.path, threads: 1, logger: Logger(label: "test")).run(to: path)
        var options = TextEngineOptions()
        options.threads = 1
        let model = try await TextEngine.load(path: path, options: options, lane: FreeLane(), logger: Logger(label: "test"))
        return (try #require(model as? ClassifierEngine), golden["pairs"]?.arrayValue ?? [], folder)
    }

    private static func logits(_ pair: JSONValue) throws -> [Float] {
        let bytes = try #require(pair["logits"]?.stringValue.flatMap(Base64.decode))
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            Float(bitPattern: bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    private func pairs(_ query: String, _ documents: [String], _ change: (inout RerankRequest) -> Void = { _ in }) -> TextPairs {
        var request = RerankRequest()
        (request.query, request.documents) = (query, documents)
        change(&request)
        return TextPairs(request)
    }

    @Test("scores of pairs are those of transformers", arguments: ["bert-reranker", "xlmr-reranker"])
    func scores(name: String) async throws {
        let (engine, goldens, keeper) = try await engine(name)
        defer { withExtendedLifetime(keeper) {} }
        #expect(engine.labels.count == 1 && engine.capabilities == [.scoring, .classification])
        for golden in goldens {
            let query = try #require(golden["texts"]?[0]?.stringValue), expected = try Self.logits(golden)[0]
            guard let document = golden["texts"]?[1]?.stringValue else { continue }
            let raw = try await engine.score(pairs(query, [document]) { $0.usesActivation = false }, scope: scope)
            #expect(raw.tokens == golden["ids"]?.arrayValue?.count)
            #expect(
                abs(raw.scores[0] - expected) <= 1e-3 * max(abs(expected), 1), "\(query) \(document): \(raw.scores[0]), not \(expected)")
            let score = try await engine.score(pairs(query, [document]), scope: scope).scores[0]
            #expect(abs(score - 1 / (1 + exp(-expected))) <= 1e-3)
        }
        // Together they are as alone.
        let documents = ["The giant panda is a bear of China.", "It rains."]
        let both = try await engine.score(pairs("what is a panda?", documents) { $0.usesActivation = false }, scope: scope).scores
        for (score, golden) in zip(both, goldens) {
            let expected = try Self.logits(golden)[0]
            #expect(abs(score - expected) <= 1e-3 * max(abs(expected), 1))
        }
        await engine.shutdown()
    }

    @Test("classes of a text are those of transformers, probabilities or logits")
    func classes() async throws {
        let (engine, goldens, keeper) = try await engine("bert-classifier")
        defer { withExtendedLifetime(keeper) {} }
        #expect(engine.labels == ["negative", "neutral", "positive"] && engine.capabilities == [.classification])
        let golden = try #require(goldens.last), text = try #require(golden["texts"]?[0]?.stringValue), expected = try Self.logits(golden)
        var request = ClassificationRequest()
        request.input = [.text(text), .tokens(golden["ids"]?.arrayValue?.compactMap(\.intValue) ?? [])]
        request.usesActivation = false
        let logits = try await engine.classify(request, scope: scope)
        for row in logits.rows { for (found, value) in zip(row, expected) { #expect(abs(found - value) <= 1e-3 * max(abs(value), 1)) } }
        request.usesActivation = nil
        let rows = try await engine.classify(request, scope: scope).rows
        let sum = expected.reduce(0) { $0 + exp($1) }
        for (found, value) in zip(rows[0], expected) { #expect(abs(found - exp(value) / sum) <= 1e-3) }
        await engine.shutdown()
    }

    @Test("a pair that is too long is 413, unless it may be cut short; the longer text gives way")
    func tooLong() async throws {
        let (engine, _, keeper) = try await engine("bert-reranker")
        defer { withExtendedLifetime(keeper) {} }
        let long = String(repeating: "panda ", count: 200)
        let error = await #expect(throws: APIError.self) { _ = try await engine.score(pairs("a", [long]), scope: scope) }
        #expect(error?.status == 413 && error?.param == "body.documents")
        let cut = try await engine.score(pairs("a", [long]) { $0.truncation.limit = -1 }, scope: scope)
        #expect(cut.tokens == 64)
        let few = try await engine.score(pairs("a", [long]) { $0.mostDocumentTokens = 5 }, scope: scope)
        #expect(few.tokens < 16)
        #expect(TextFraming.shares(of: 10, 3, 20) == (3, 7) && TextFraming.shares(of: 10, 20, 3) == (7, 3))
        #expect(TextFraming.shares(of: 11, 20, 30) == (5, 6) && TextFraming.shares(of: 11, 30, 20) == (6, 5))
        #expect(TextFraming.shares(of: 10, 4, 5) == (4, 5))
        await engine.shutdown()
    }

    @Test("short texts share a pass, long ones have their own")
    func passes() {
        #expect(PoolingLoop.pass([], room: 10) == 0)
        #expect(PoolingLoop.pass([3, 4, 4, 20, 1], room: 10) == 2)
        #expect(PoolingLoop.pass([20, 1], room: 10) == 1)
        #expect(PoolingLoop.pass(Array(repeating: 1, count: 40), room: 100) == 32)
    }

    @Test("a request between two of its passes is told when the queue closes")
    func closing() throws {
        let queue = PoolingQueue(maxQueue: 3)
        let ends = Mutex<[APIError?]>([])
        func job() -> PoolingJob {
            PoolingJob(texts: [], cancellation: CancellationToken()) { result in
                guard case .failure(let error) = result else { return }
                ends.withLock { $0.append(error as? APIError) }
            }
        }
        for _ in 0..<2 { try queue.add(job()) }
        let taken = try #require(queue.take())
        // Behind the one that waits for its turn.
        for _ in 0..<2 { try queue.add(job()) }
        #expect(throws: APIError.self) { try queue.add(job()) }
        queue.close()
        queue.putBack(taken)
        #expect(queue.take() == nil)
        #expect(ends.withLock { $0.map(\.?.status) } == [503, 503, 503, 503])
    }

    @Test("a judge's score is the probability of yes, as transformers has it behind the same prompt")
    func judge() async throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/text")
        var options = TextEngineOptions()
        options.threads = 1
        let model = try await TextEngine.load(
            path: folder.appending(path: "tiny-judge.gguf").path, options: options, lane: FreeLane(), logger: Logger(label: "test"))
        let engine = try #require(model as? ClassifierEngine)
        #expect(engine.capabilities.contains(.scoring))
        for golden in try #require(try JSONValue.parse(Data(contentsOf: folder.appending(path: "tiny-judge.json"))).arrayValue) {
            let query = try #require(golden["texts"]?[0]?.stringValue), document = try #require(golden["texts"]?[1]?.stringValue)
            let expected = Float(try #require(golden["score"]?.doubleValue))
            let found = try await engine.score(pairs(query, [document, "It rains."]), scope: scope)
            #expect(abs(found.scores[0] - expected) <= 1e-3, "\(document): \(found.scores[0]), not \(expected)")
            let alone = try await engine.score(pairs(query, [document]) { $0.usesActivation = false }, scope: scope)
            #expect(alone.tokens == golden["tokens"]?.intValue)
            #expect(abs(1 / (1 + exp(-alone.scores[0])) - expected) <= 1e-3)
        }
        // What a text spells is no control token, so it does not end the prompt early.
        let spelt = try await engine.score(pairs("x", ["a<|im_end|>b"]), scope: scope).tokens
        let plain = try await engine.score(pairs("x", ["ab"]), scope: scope).tokens
        #expect(spelt > plain + 3)
        await engine.shutdown()
    }

    @Test("a judge's prompt is filled in one go")
    func template() {
        let text = "<|a|>q: {query}\nd: {document}<|b|>"
        #expect(PairTemplate(text).filled("x {document}", "y") == ["<|a|>", "q: x {document}\nd: y", "<|b|>"])
    }
}
