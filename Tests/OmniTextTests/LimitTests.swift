import Foundation
import OmniAPI
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniText

@Suite("Limits and leaving", .enabled(if: TestModel.isHere), .serialized, .timeLimit(.minutes(10)))
struct LimitTests {
    @Test("a prompt longer than the context is refused with both lengths and the flag")
    func tooLong() async throws {
        var options = TextEngineOptions()
        options.maxModelLength = 128
        let engine = try await TestModel.engine(options)
        let error = await #expect(throws: APIError.self) { _ = try await engine.answers(question(String(repeating: "word ", count: 300))) }
        #expect(error?.status == 413)
        #expect(error?.fullMessage.contains("128") == true)
        #expect(error?.fullMessage.contains("--max-model-len") == true)
        await engine.shutdown()
    }

    @Test("with a full queue a request gets 503 and a time to come back; those taken in are answered")
    func fullQueue() async throws {
        var options = TextEngineOptions()
        options.maxSequences = 1
        options.maxQueue = 2
        let engine = try await TestModel.engine(options)
        var accepted: [TextGeneration] = []
        var refused: [APIError] = []
        for number in 0..<6 {
            do {
                accepted.append(try await engine.chat(question("Count to \(number).", maxTokens: 40), scope: RequestScope(id: "\(number)")))
            } catch let error as APIError { refused.append(error) }
        }
        #expect(accepted.count >= 3)
        #expect(!refused.isEmpty)
        for error in refused {
            #expect(error.status == 503)
            #expect((error.retryAfter ?? 0) >= 1)
            #expect(error.fullMessage.contains("--max-queue"))
        }
        for generation in accepted { #expect(try await Answers(generation).first.reason != nil) }
        await engine.shutdown()
    }

    @Test("who leaves while decoding stops the work and leaves others' answers as they would be")
    func leaveWhileDecoding() async throws {
        let lane = GateLane()
        let engine = try await TestModel.engine(lane: lane)
        let wanted = try await engine.answers(comparable("Who wrote Hamlet?")).first
        let scope = RequestScope(id: "leaver")
        // Nobody gets a turn after these until the client has left: its answer cannot be done before.
        lane.close(after: 30)
        let leaver = try await engine.chat(
            question("Tell me a long story.", maxTokens: 2000) { $0.sampling.ignoreEOS = true }, scope: scope)
        async let other = engine.answers(comparable("Who wrote Hamlet?"))
        var seen = 0
        await #expect(throws: CancellationError.self) {
            for try await event in leaver.events {
                if case .text = event { seen += 1 }
                if seen == 3 {
                    scope.cancellation.cancel()
                    lane.open()
                }
            }
        }
        #expect(seen < 60)
        #expect(try await other.first.agrees(with: wanted))
        try await until { engine.statistics.running == 0 }
        #expect(engine.statistics.requestsCancelled == 1)
        await engine.shutdown()
    }

    @Test("ending the iteration is leaving")
    func dropStream() async throws {
        let engine = try await TestModel.engine()
        do {
            let generation = try await engine.chat(
                question("Tell me a long story.", maxTokens: 2000) { $0.sampling.ignoreEOS = true }, scope: RequestScope(id: "dropped"))
            let task = Task { for try await _ in generation.events {} }
            try await until { engine.statistics.generationTokens > 2 }
            task.cancel()
            _ = try? await task.value
        }
        try await until { engine.statistics.running == 0 && engine.statistics.requestsCancelled == 1 }
        #expect(engine.statistics.cancelLatency.count == 1)
        await engine.shutdown()
    }

    @Test("who leaves during a long prompt frees the engine within the prompt")
    func leaveWhilePrefilling() async throws {
        let engine = try await TestModel.engine()
        let scope = RequestScope(id: "long")
        let generation = try await engine.chat(
            question(String(repeating: "The sea is deep and blue. ", count: 900), maxTokens: 10), scope: scope)
        try await until { engine.statistics.running == 1 }
        scope.cancellation.cancel()
        await #expect(throws: CancellationError.self) { for try await _ in generation.events {} }
        #expect(engine.statistics.promptTokens < generation.promptTokens)
        #expect(try await engine.answers(question("Say hello.", maxTokens: 4)).usage.completionTokens == 4)
        await engine.shutdown()
    }

    @Test("a cache too small for all makes sequences wait their turn, and every answer is whole")
    func preemption() async throws {
        var options = TextEngineOptions()
        options.maxModelLength = 256
        options.cacheBytes = 1
        options.maxSequences = 4
        let engine = try await TestModel.engine(options)
        let answers = try await withThrowingTaskGroup(of: Answers.self) { group in
            for number in 0..<4 {
                group.addTask {
                    try await engine.answers(question("Count to \(number + 10).", maxTokens: 80) { $0.sampling.ignoreEOS = true })
                }
            }
            return try await group.reduce(into: [Answers]()) { $0.append($1) }
        }
        #expect(answers.map(\.usage.completionTokens) == [80, 80, 80, 80])
        #expect(engine.statistics.preemptions > 0)
        await engine.shutdown()
    }

    @Test("a prompt is forgotten some time after its answer, and computed anew")
    func prefixesExpire() async throws {
        var options = TextEngineOptions()
        options.maxModelLength = 4096
        options.prefixLifetime = .milliseconds(300)
        let engine = try await TestModel.engine(options)
        let text = String(repeating: "The sea is deep and blue. ", count: 100)
        #expect(try await engine.answers(question(text, maxTokens: 2)).usage.promptTokens > 600)
        try await until { engine.statistics.cacheUsage == 0 }
        #expect(try await engine.answers(question(text, maxTokens: 2)).usage.cachedTokens == 0)
        // Keys and values of 30 layers, 3 heads of 64, in 16 bits.
        #expect(engine.reservation.cache >= 4096 * 23_040 && engine.reservation.weights > 90_000_000 && engine.reservation.compute > 0)
        await engine.shutdown()
    }

    @Test("caches are small where memory is, and a limit of the container counts")
    func cachesFitMemory() {
        let roomy = TextEngineOptions(memory: MemoryBudget(limit: 64 << 30, available: 60 << 30))
        let tight = TextEngineOptions(memory: MemoryBudget(limit: 1 << 30, available: 900 << 20))
        let full = TextEngineOptions(memory: MemoryBudget(limit: 64 << 30, available: 100 << 20))
        #expect(roomy.cacheBytes == 1 << 30 && roomy.longestSequenceBytes == 2 << 30)
        #expect(tight.cacheBytes == 128 << 20 && tight.longestSequenceBytes == 256 << 20)
        #expect(full.cacheBytes == 50 << 20 && full.longestSequenceBytes == 50 << 20)
    }

    @Test("shutting down ends running answers with an error")
    func shutdown() async throws {
        let engine = try await TestModel.engine()
        let generation = try await engine.chat(
            question("Tell me a story.", maxTokens: 2000) { $0.sampling.ignoreEOS = true }, scope: RequestScope(id: "s"))
        try await until { engine.statistics.running == 1 }
        await engine.shutdown()
        await #expect(throws: APIError.self) { for try await _ in generation.events {} }
        await #expect(throws: APIError.self) { _ = try await engine.answers(question("Say hello.")) }
    }
}

/// Waits for a condition, at most a minute.
func until(_ condition: @Sendable () -> Bool) async throws {
    let limit = ContinuousClock.now + .seconds(60)
    while !condition() {
        try #require(ContinuousClock.now < limit, "waited for a minute")
        await Task.yield()
    }
}
