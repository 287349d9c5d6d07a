import Foundation
import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("Plain completions with the starter model", .enabled(if: TestModel.isHere), .serialized, .timeLimit(.minutes(10)))
struct CompletionTests {
    @Test("several prompts and several answers each are counted through; token ids are as good as their text")
    func several() async throws {
        let engine = try await TestModel.engine()
        var tokens = TokenizeRequest()
        tokens.prompt = "The capital of France is"
        let ids = try await engine.tokenize(tokens)
        #expect(try await engine.detokenize(ids) == "The capital of France is")
        let answers = try await engine.answers(completion([.text("The capital of France is"), .tokens(ids)]) { $0.n = 2 })
        #expect(Set(answers.choices.keys) == [0, 1, 2, 3])
        #expect(Set(answers.choices.values.map(\.text)).count == 1)
        #expect(answers.first.text.hasPrefix(" Paris"))
        #expect(answers.usage.promptTokens == ids.count * 2)
        #expect(answers.usage.completionTokens == 16)
        await engine.shutdown()
    }

    @Test("the echo comes with the prompt's own log-probabilities, the first token having none")
    func echo() async throws {
        let engine = try await TestModel.engine()
        let answer = try await engine.answers(
            completion([.text("The capital of France is")]) {
                $0.echo = true; $0.logprobs = 2
            }
        ).first
        #expect(answer.text.hasPrefix("The capital of France is Paris"))
        #expect(answer.logprobs.map(\.token).joined() == answer.text)
        #expect(answer.logprobs[0].logprob.isNaN)
        #expect(answer.logprobs.dropFirst().allSatisfy { $0.logprob <= 0 })
        await engine.shutdown()
    }

    @Test("the echo of a long prompt has each token's log-probability once, also beside other prompts")
    func echoInCompany() async throws {
        var options = TextEngineOptions()
        options.maxModelLength = 512
        options.maxSequences = 4
        let engine = try await TestModel.engine(options)
        // 70 tokens are scored in two steps, the second of few tokens.
        let text = String(repeating: "The sea is deep. ", count: 14)
        async let other = engine.answers(completion([.text("Once upon a time, in a land far away,")], maxTokens: 40))
        async let another = engine.answers(completion([.text("One, two, three, four, five, six,")], maxTokens: 40))
        for _ in 0..<3 {
            let answer = try await engine.answers(
                completion([.text(text)]) {
                    $0.echo = true; $0.logprobs = 1
                }
            ).first
            #expect(answer.logprobs.map(\.token).joined() == answer.text && answer.text.hasPrefix(text))
        }
        _ = try await (other, another)
        await engine.shutdown()
    }

    @Test("a token id outside the vocabulary is refused")
    func badToken() async throws {
        let engine = try await TestModel.engine()
        let error = await #expect(throws: APIError.self) { _ = try await engine.answers(completion([.tokens([1, 999_999])])) }
        #expect(error?.status == 400)
        await #expect(throws: APIError.self) { _ = try await engine.detokenize([-1]) }
        await engine.shutdown()
    }

    @Test("a long prompt does not stop the tokens of others")
    func chunkedPrefill() async throws {
        let engine = try await TestModel.engine()
        let talker = try await engine.complete(
            completion([.text("Once upon a time")], maxTokens: 400) { $0.sampling.ignoreEOS = true }, scope: RequestScope(id: "talker"))
        var tokens = talker.events.makeAsyncIterator()
        for _ in 0..<5 { _ = try await tokens.next() }
        let before = engine.statistics.generationTokens
        let scope = RequestScope(id: "long")
        let long = try await engine.complete(
            completion([.text(String(repeating: "The sea is deep. ", count: 100))], maxTokens: 1), scope: scope)
        _ = try await Answers(long)
        #expect(engine.statistics.generationTokens - before > 5, "the talker went on while the prompt was read")
        await engine.shutdown()
    }
}
