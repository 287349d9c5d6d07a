import Foundation
import OmniAPI
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniText

@Suite("An echo whose prompt is computed twice", .enabled(if: TestModel.isHere), .serialized, .timeLimit(.minutes(10)))
struct EchoPreemptionTests {
    /// 24 answers leave eight rows of a step to the prompt that is scored. When the 1024 cells are full it has been read for a half, and it
    /// is the youngest: it goes back into the queue.
    @Test("a sequence that loses its place in the middle of its prompt has each token's log-probability once")
    func preempted() async throws {
        var options = TextEngineOptions()
        options.maxModelLength = 1024
        options.cacheBytes = 1
        options.maxSequences = 25
        options.batchSize = 32
        options.speculation = SpeculativeConfig(method: SpeculativeConfig.Method.none)
        let gate = GateLane()
        let engine = try await TestModel.engine(options, lane: gate)
        gate.close(after: 0)
        // No two begin alike: each has its place at once.
        let beginnings = (0..<24).map { CompletionRequest.Prompt.text(String(UnicodeScalar(UInt8(65 + $0))) + " is") }
        let company = try await engine.complete(
            completion(beginnings, maxTokens: 40) { $0.sampling.ignoreEOS = true }, scope: RequestScope(id: "company"))
        let text = String(repeating: "The sea is deep. ", count: 60)
        let scored = try await engine.complete(
            completion([.text(text)], maxTokens: 1) {
                $0.echo = true; $0.logprobs = 1
            }, scope: RequestScope(id: "scored"))
        gate.open()
        async let others = Answers(company)
        let answer = try await Answers(scored).first
        #expect(answer.text.hasPrefix(text) && answer.logprobs.map(\.token).joined() == answer.text)
        #expect(answer.logprobs.count { $0.logprob.isNaN } == 1, "only the first token has none")
        #expect(try await others.choices.values.allSatisfy { $0.reason == .length })
        #expect(engine.statistics.preemptions > 0, "otherwise nothing was tested: the sizes above want another look")
        await engine.shutdown()
    }
}
