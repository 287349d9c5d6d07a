import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama
import Testing

@testable import OmniText

/// Every guess is computed here, whatever it costs, so that nothing depends on how fast the machine is.
@Suite("Speculative decoding with the starter model", .enabled(if: TestModel.isHere), .serialized, .timeLimit(.minutes(10)))
struct SpeculationTests {
    /// Nothing is guessed but what a drafter says: no run of that length repeats.
    private static let drafterOnly: SpeculativeConfig = {
        var config = SpeculativeConfig()
        (config.shortestMatch, config.longestMatch) = (64, 64)
        return config
    }()

    private static let off = SpeculativeConfig(method: SpeculativeConfig.Method.none)

    private func engine(
        _ config: SpeculativeConfig = SpeculativeConfig(), drafter: ScriptedDrafter? = nil,
        change: (inout TextEngineOptions) -> Void = { _ in }
    ) throws -> TextEngine {
        var options = TextEngineOptions()
        options.threads = 1
        options.maxModelLength = 512
        options.speculation = config
        options.alwaysSpeculates = true
        change(&options)
        var logger = Logger(label: "test")
        logger.logLevel = .warning
        LlamaLog.start(logger: logger)
        let model = try LlamaModel(path: try #require(TestModel.path)) { _ in }
        var make: (@Sendable () -> any Drafter)?
        if let drafter { make = { drafter } }
        return try TextEngine(model: model, options: options, lane: FreeLane(), logger: logger, drafter: make)
    }

    private func withEngine<Result>(
        _ config: SpeculativeConfig = SpeculativeConfig(), drafter: ScriptedDrafter? = nil,
        change: (inout TextEngineOptions) -> Void = { _ in }, _ body: (TextEngine) async throws -> Result
    ) async throws -> Result {
        let engine = try engine(config, drafter: drafter, change: change)
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(engine)) } catch { result = .failure(error) }
        await engine.shutdown()
        return try result.get()
    }

    /// What `requests` are answered without guesses, and with guesses that are right but for every `wrongEvery`th token.
    private func both(
        _ requests: [ChatCompletionRequest], wrongEvery: Int = 5
    ) async throws -> (plain: [Answers], guessed: [Answers], statistics: TextEngineStatistics) {
        let watcher = ScriptedDrafter(quiet: true)
        let plain = try await withEngine(Self.drafterOnly, drafter: watcher) { engine in
            var answers: [Answers] = []
            for request in requests { answers.append(try await engine.answers(request)) }
            #expect(engine.statistics.draftTokens == 0)
            return answers
        }
        let drafter = ScriptedDrafter(knowing: watcher, wrongEvery: wrongEvery)
        return try await withEngine(Self.drafterOnly, drafter: drafter) { engine in
            var answers: [Answers] = []
            for request in requests { answers.append(try await engine.answers(request)) }
            return (plain, answers, engine.statistics)
        }
    }

    @Test("the answer at temperature 0 is the one without guesses, token for token, with its log-probabilities")
    func greedy() async throws {
        let requests = [comparable("Who wrote Hamlet?", maxTokens: 48), comparable("Tell me about the sea.", maxTokens: 48)]
        let (plain, guessed, statistics) = try await both(requests)
        for (one, other) in zip(plain, guessed) {
            #expect(one.first.agrees(with: other.first), "\(one.first.text) | \(other.first.text)")
            #expect(other.usage.completionTokens == other.first.logprobs.count && one.first.reason == other.first.reason)
        }
        #expect(statistics.drafts > 4 && statistics.acceptedTokens > 20 && statistics.acceptedTokens < statistics.draftTokens)
        #expect(statistics.generationTokens == guessed.reduce(0) { $0 + $1.usage.completionTokens })
    }

    @Test("guesses that are all wrong change nothing")
    func wrong() async throws {
        let (plain, guessed, statistics) = try await both([comparable("Who wrote Hamlet?", maxTokens: 24)], wrongEvery: 1)
        #expect(plain[0].first.agrees(with: guessed[0].first) && statistics.draftTokens > 0)
        #expect(guessed[0].usage.completionTokens == plain[0].usage.completionTokens)
    }

    @Test("a seed's answer, penalties, biases and several choices are what they are without guesses")
    func seeded() async throws {
        let request = comparable("Tell me a story about two dogs.", maxTokens: 40)
        func changed(_ change: (inout ChatCompletionRequest) -> Void) -> ChatCompletionRequest {
            var request = request
            change(&request)
            return request
        }
        let (plain, guessed, statistics) = try await both([
            changed { ($0.sampling.temperature, $0.sampling.seed, $0.sampling.topP) = (0.8, 11, 0.9) },
            changed { ($0.sampling.frequencyPenalty, $0.sampling.presencePenalty, $0.sampling.repetitionPenalty) = (0.8, 0.3, 1.1) },
            changed { ($0.n, $0.sampling.temperature, $0.sampling.seed) = (2, 0.6, 4) },
        ])
        for (one, other) in zip(plain, guessed) {
            for (index, answer) in one.choices { #expect(answer.agrees(with: try #require(other.choices[index])), "\(answer.text)") }
        }
        #expect(statistics.acceptedTokens > 30)
    }

    @Test("a stop text, the length limit and an answer's form hold in the middle of a guess")
    func ends() async throws {
        let free = try await both([question("Count from one to twenty in words.", maxTokens: 40)]).plain[0].first.text
        let middle = free.index(free.startIndex, offsetBy: free.count / 2)
        let stop = String(free[middle..<free.index(middle, offsetBy: 4)])
        let form = #"{"type":"object","properties":{"city":{"type":"string","maxLength":12}},"required":["city"]}"#
        let schema = try JSONValue.parse(form).objectValue ?? JSONObject()
        let (plain, guessed, statistics) = try await both([
            question("Count from one to twenty in words.", maxTokens: 40) { $0.sampling.stop = [stop] },
            question("Count from one to twenty in words.", maxTokens: 17),
            question("Describe Paris.", maxTokens: 60) { $0.responseFormat = .jsonSchema(name: "city", schema: schema) },
        ])
        #expect(plain.map(\.first.text) == guessed.map(\.first.text))
        #expect(plain.map(\.first.reason) == guessed.map(\.first.reason))
        #expect(plain.map(\.first.stopReason) == guessed.map(\.first.stopReason))
        #expect(plain.map(\.usage.completionTokens) == guessed.map(\.usage.completionTokens))
        #expect(guessed[1].usage.completionTokens == 17 && !guessed[0].first.text.contains(stop))
        #expect(try JSONValue.parse(guessed[2].first.text)["city"] != nil)
        #expect(statistics.acceptedTokens > 8)
    }

    @Test("the longest text that the context takes is reached and not passed")
    func contextEnd() async throws {
        try await withEngine(change: { $0.maxModelLength = 96 }) { engine in
            let request = question("one two one two one two one two one two", maxTokens: nil) { $0.sampling.ignoreEOS = true }
            let answers = try await engine.answers(request)
            #expect(answers.usage.promptTokens + answers.usage.completionTokens == 96 && answers.first.reason == .length)
            #expect(engine.statistics.acceptedTokens > 0)
        }
    }

    @Test("what an answer leaves in the cache is right for the next turn")
    func nextTurn() async throws {
        var turn = comparable("Count from one to ten in words.", maxTokens: 30)
        let drafter = ScriptedDrafter(quiet: true)
        let first = try await withEngine(Self.drafterOnly, drafter: drafter) { try await $0.answers(turn).first.text }
        turn.messages += [ChatMessage(.assistant, first), ChatMessage(.user, "Go on.")]
        let follow = turn
        let wanted = try await withEngine(Self.off) { try await $0.answers(follow).first }
        try await withEngine(Self.drafterOnly, drafter: ScriptedDrafter(knowing: drafter)) { engine in
            _ = try await engine.answers(comparable("Count from one to ten in words.", maxTokens: 30))
            #expect(engine.statistics.acceptedTokens > 5)
            let second = try await engine.answers(follow)
            #expect(second.usage.cachedTokens > 40 && second.first.agrees(with: wanted))
        }
    }

    @Test("answers side by side, one cancelled in the middle, are those that each gets alone", arguments: [true, false])
    func company(unified: Bool) async throws {
        let texts = ["Who wrote Hamlet?", "Repeat ten times: one two three four.", "Tell me about the sea."]
        let alone = try await withEngine(Self.off) { engine in
            var answers: [Answer] = []
            for text in texts { answers.append(try await engine.answers(comparable(text, maxTokens: 40)).first) }
            return answers
        }
        try await withEngine(change: { ($0.unifiedCache, $0.maxSequences) = (unified, 4) }) { engine in
            let scope = RequestScope(id: "leaves")
            let long = question("Say the same word again and again.", maxTokens: 400) { $0.sampling.ignoreEOS = true }
            let leaving = try await engine.chat(long, scope: scope)
            async let one = engine.answers(comparable(texts[0], maxTokens: 40))
            async let two = engine.answers(comparable(texts[1], maxTokens: 40))
            var tokens = leaving.events.makeAsyncIterator()
            for _ in 0..<3 { _ = try await tokens.next() }
            scope.cancellation.cancel()
            let three = try await engine.answers(comparable(texts[2], maxTokens: 40)).first
            // In a cache that all share, attention adds in f16 in an order that depends on where the others' cells lie.
            let tolerance = unified ? 1 : 0.5
            #expect(try await one.first.agrees(with: alone[0], within: tolerance))
            #expect(try await two.first.agrees(with: alone[1], within: tolerance))
            #expect(three.agrees(with: alone[2], within: tolerance))
            #expect(engine.statistics.draftTokens > 0)
        }
    }

    @Test("answers that lose their places for want of cache are none the worse")
    func preemption() async throws {
        func tight(_ options: inout TextEngineOptions) {
            (options.unifiedCache, options.maxSequences, options.maxModelLength, options.cacheBytes) = (true, 4, 256, 1)
        }
        try await withEngine(change: tight) { engine in
            let answers = try await withThrowingTaskGroup(of: Answers.self) { group in
                for number in 10..<14 {
                    let request = question("Count to \(number).", maxTokens: 80) { $0.sampling.ignoreEOS = true }
                    group.addTask { try await engine.answers(request) }
                }
                return try await group.reduce(into: [Answers]()) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.usage.completionTokens == 80 })
            #expect(engine.statistics.preemptions > 0, "\(engine.card.details["kv_cache_tokens"] ?? 0) cells")
            #expect(engine.statistics.acceptedTokens > 0)
        }
    }

    // MARK: Sources

    @Test("text that repeats is guessed by itself, and not where that is off")
    func ngrams() async throws {
        var request = CompletionRequest()
        request.prompts = [.text("red, green, blue, red, green, blue, red, green, blue, red,")]
        (request.maxTokens, request.sampling.temperature, request.sampling.ignoreEOS) = (60, 0, true)
        let repeated = request
        let (plain, none) = try await withEngine(Self.off) { (try await $0.answers(repeated), $0.statistics) }
        #expect(none.drafts == 0 && none.draftTokens == 0)
        try await withEngine { engine in
            let answers = try await engine.answers(repeated)
            #expect(answers.usage.completionTokens == plain.usage.completionTokens)
            #expect(engine.statistics.acceptedTokens > 10)
            #expect(answers.usage.prediction == nil, "nobody predicted anything")
            let registry = MetricsRegistry()
            engine.report(to: registry, modelName: "m")
            let page = registry.text
            for name in ["drafts", "draft_tokens", "accepted_tokens"] {
                #expect(page.contains("vllm:spec_decode_num_\(name)_total{"), "\(name)")
            }
        }
    }

    @Test("a text that the client expects is taken over where it is right, and counted")
    func prediction() async throws {
        let request = comparable("Tell me about the sea.", maxTokens: 40)
        let plain = try await withEngine(Self.off) { engine in
            var unused = request
            unused.prediction = PredictedOutput("Anything.")
            #expect(try await engine.answers(unused).usage.prediction == Usage.Prediction())
            return try await engine.answers(request).first
        }
        try await withEngine { engine in
            var predicted = request
            predicted.prediction = PredictedOutput(plain.text)
            let answers = try await engine.answers(predicted)
            #expect(answers.first.agrees(with: plain))
            #expect(answers.usage.prediction?.accepted ?? 0 > 20)
        }
    }

    @Test("a draft model's guesses are taken; one with another vocabulary is refused by name")
    func draftModel() async throws {
        var options = TextEngineOptions()
        options.threads = 1
        options.maxModelLength = 512
        options.alwaysSpeculates = true
        options.speculation = Self.drafterOnly
        options.speculation.model = TestModel.path
        let engine = try await TestModel.engine(options)
        let request = comparable("Who wrote Hamlet?", maxTokens: 40)
        let answers = try await engine.answers(request)
        let statistics = engine.statistics
        async let other = engine.answers(comparable("Name three colors."))
        _ = try await (engine.answers(comparable("Is the sea deep?")), other)
        await engine.shutdown()
        #expect(statistics.acceptedTokens > 10 && statistics.acceptedTokens * 2 > statistics.draftTokens, "it guesses for itself")
        let plain = try await withEngine(Self.off) { try await $0.answers(request).first }
        #expect(answers.first.agrees(with: plain))

        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        options.speculation.model = tests.appending(path: "Fixtures/text/tiny.gguf").path
        let wrong = options
        let error = await #expect(throws: APIError.self) { _ = try await TestModel.engine(wrong) }
        #expect(error?.message.contains("tiny.gguf") == true && error?.message.contains("vocabulary") == true)
    }
}
