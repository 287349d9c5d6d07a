import Foundation
import OmniAPI
import OmniEngine
import Synchronization
import Testing

@testable import OmniText

@Suite("Chat with the starter model", .enabled(if: TestModel.isHere), .serialized, .timeLimit(.minutes(10)))
struct ChatTests {
    @Test("the parts of a stream make up the answer, and the counts are right")
    func streams() async throws {
        let engine = try await TestModel.engine()
        let answers = try await engine.answers(question("Who wrote Hamlet?", maxTokens: 12))
        #expect(answers.first.text == answers.first.pieces.joined())
        #expect(answers.first.pieces.count > 3)
        #expect(answers.first.reason == .length)
        #expect(answers.usage.completionTokens == 12)
        #expect(answers.usage.promptTokens == (try await engine.tokenize(tokenizing("Who wrote Hamlet?")).count))
        await engine.shutdown()
    }

    private func tokenizing(_ text: String) -> TokenizeRequest {
        var request = TokenizeRequest()
        request.messages = [ChatMessage(.user, text)]
        return request
    }

    @Test("many conversations at once get the answers that each gets alone")
    func concurrent() async throws {
        let questions = ["Who wrote Hamlet?", "Name three colors.", "Say hello.", "What is water?", "Count to five.", "What do cats eat?"]
        let engine = try await TestModel.engine()
        var alone: [Answer] = []
        for text in questions { alone.append(try await engine.answers(comparable(text)).first) }
        await engine.shutdown()

        let fresh = try await TestModel.engine()
        let together = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (place, text) in questions.enumerated() { group.addTask { (place, try await fresh.answers(comparable(text)).first) } }
            return try await group.reduce(into: [Int: Answer]()) { $0[$1.0] = $1.1 }
        }
        await fresh.shutdown()
        for (place, answer) in alone.enumerated() {
            let twin = try #require(together[place])
            #expect(answer.agrees(with: twin), "\(answer.text) | \(twin.text)")
        }
    }

    @Test(
        "a last message that is continued ends the prompt with its own text, whoever wrote it",
        arguments: [ChatMessage.Role.assistant, .user])
    func continuation(role: ChatMessage.Role) async throws {
        let engine = try await TestModel.engine()
        var request = TokenizeRequest()
        request.messages = [ChatMessage(.user, "Who wrote Hamlet?"), ChatMessage(role, "It was ")]
        request.addGenerationPrompt = false
        let closed = try await engine.detokenize(engine.tokenize(request))
        request.continueFinalMessage = true
        let open = try await engine.detokenize(engine.tokenize(request))
        #expect(open.hasSuffix("\(role.rawValue)\nIt was "))
        #expect(closed.hasPrefix(open) && closed.count > open.count)
        await engine.shutdown()
    }

    @Test("a prompt that begins like an earlier one reuses its keys and gives the same answer")
    func reuse() async throws {
        let engine = try await TestModel.engine()
        let request = comparable("Tell me about the sea and the fish in it.")
        let first = try await engine.answers(request)
        let second = try await engine.answers(request)
        #expect(first.usage.cachedTokens == 0)
        #expect(second.usage.cachedTokens == second.usage.promptTokens - 1)
        #expect(second.first.agrees(with: first.first))

        var longer = request
        longer.messages += [ChatMessage(.assistant, first.first.text), ChatMessage(.user, "Go on.")]
        let third = try await engine.answers(longer)
        #expect(third.usage.cachedTokens > first.usage.promptTokens - 4)
        await engine.shutdown()
    }

    @Test("a cache for each sequence gives the same answers as one for all, and still shares beginnings")
    func splitCache() async throws {
        var options = TextEngineOptions()
        options.unifiedCache = true
        let engine = try await TestModel.engine(options)
        let wanted = try await engine.answers(comparable("Who wrote Hamlet?")).first
        await engine.shutdown()
        options.unifiedCache = false
        options.maxModelLength = 512
        options.maxSequences = 3
        let split = try await TestModel.engine(options)
        async let other = split.answers(comparable("Name three colors."))
        async let one = split.answers(comparable("Who wrote Hamlet?"))
        #expect(try await one.first.agrees(with: wanted))
        _ = try await other
        let again = try await split.answers(comparable("Who wrote Macbeth?"))
        #expect(again.usage.cachedTokens > 20)
        await split.shutdown()
    }

    @Test("prompts of different lengths that come together get the answers that each gets alone")
    func together() async throws {
        let texts = [
            "Who wrote Hamlet?", "What is the capital of France?", "Name three colors.", "Is the sea deep, and is it cold in the winter?",
        ]
        var options = TextEngineOptions()
        options.unifiedCache = false
        options.maxModelLength = 512
        options.maxSequences = texts.count
        let engine = try await TestModel.engine(options)
        // Every place shall hold the beginning that all have in common.
        for text in texts { _ = try await engine.answers(question(text, maxTokens: 40)) }
        let together = try await withThrowingTaskGroup(of: (Int, Answers).self) { group in
            for (index, text) in texts.enumerated() { group.addTask { (index, try await engine.answers(comparable(text + " Tell me."))) } }
            return try await group.reduce(into: [Int: Answers]()) { $0[$1.0] = $1.1 }
        }
        await engine.shutdown()
        let fresh = try await TestModel.engine(options)
        for (index, text) in texts.enumerated() {
            let answers = try #require(together[index])
            #expect(answers.usage.cachedTokens > 20)
            #expect(answers.first.agrees(with: try await fresh.answers(comparable(text + " Tell me.")).first))
        }
        await fresh.shutdown()
    }

    @Test("an answer that is moved to another place in the cache goes on as if nothing had happened")
    func moved() async throws {
        var options = TextEngineOptions()
        options.unifiedCache = false
        options.maxModelLength = 512
        options.maxSequences = 3
        let engine = try await TestModel.engine(options)
        let alone = try await engine.answers(comparable("Who wrote Hamlet?", maxTokens: 40)).first
        await engine.shutdown()
        let shared = try await TestModel.engine(options)
        // The short one in the middle leaves a gap.
        let first = try await shared.begun(question("Name three colors.", maxTokens: 40))
        let short = try await shared.begun(question("Say yes.", maxTokens: 2))
        let last = try await shared.begun(comparable("Who wrote Hamlet?", maxTokens: 40))
        _ = try await (first.value, short.value)
        #expect(try await last.value.first.agrees(with: alone))
        await shared.shutdown()
    }

    @Test("several answers to one prompt differ, and share its computation")
    func choices() async throws {
        let engine = try await TestModel.engine()
        let answers = try await engine.answers(
            question("Tell me a story.", maxTokens: 12, temperature: 1) {
                $0.n = 2
                $0.sampling.seed = 7
            })
        #expect(Set(answers.choices.keys) == [0, 1])
        #expect(answers.choices[0]?.text != answers.choices[1]?.text)
        #expect(answers.usage.completionTokens == 24)
        #expect(engine.statistics.promptTokens <= answers.usage.promptTokens)
        await engine.shutdown()
    }

    @Test("a seed repeats an answer, another seed gives another")
    func seeds() async throws {
        let engine = try await TestModel.engine()
        func answer(_ seed: Int) async throws -> String {
            try await engine.answers(question("Tell me a story.", maxTokens: 10, temperature: 1) { $0.sampling.seed = seed }).first.text
        }
        let first = try await answer(1)
        #expect(try await answer(1) == first)
        #expect(try await answer(2) != first)
        await engine.shutdown()
    }

    @Test(
        "a request that is repeated while nobody else is answered gives the same numbers, its prompt computed or cached",
        arguments: [
            20, 100, 300,
        ])
    func promise(words: Int) async throws {
        var options = TextEngineOptions()
        options.maxModelLength = 1024
        let prompt = String(repeating: "sea ", count: words) + "Tell me a story about it."
        let request = question(prompt, maxTokens: 24, temperature: 0.9) {
            ($0.sampling.seed, $0.sampling.topP, $0.logprobs) = (5, 1, true)
        }
        var texts: [[TokenLogprob]] = []
        for _ in 0..<2 {
            let engine = try await TestModel.engine(options)
            for repeated in [false, true] {
                let answers = try await engine.answers(request)
                #expect(answers.usage.cachedTokens == (repeated ? answers.usage.promptTokens - 1 : 0))
                texts.append(answers.first.logprobs)
            }
            await engine.shutdown()
        }
        // Not only the text: the numbers.
        #expect(texts.allSatisfy { $0 == texts[0] })
    }

    @Test("a stop text ends the answer before it, even across tokens, and is named")
    func stops() async throws {
        let engine = try await TestModel.engine()
        let free = try await engine.answers(question("Who wrote Hamlet?", maxTokens: 20)).first.text
        let start = free.index(free.startIndex, offsetBy: 7)
        let stop = String(free[start..<free.index(start, offsetBy: 6)])
        let stopped = try await engine.answers(question("Who wrote Hamlet?", maxTokens: 20) { $0.sampling.stop = [stop] }).first
        #expect(stopped.text == String(free[..<start]))
        #expect(stopped.reason == .stop)
        #expect(stopped.stopReason == .string(stop))
        await engine.shutdown()
    }

    @Test("log-probabilities belong to the tokens, and those of all tokens would add up to one")
    func logprobs() async throws {
        let engine = try await TestModel.engine()
        let answer = try await engine.answers(
            question("Say hello.", maxTokens: 6) {
                $0.logprobs = true
                $0.topLogprobs = 20
            }
        ).first
        #expect(answer.logprobs.count == 6)
        #expect(answer.logprobs.map(\.token).joined() == answer.text)
        for entry in answer.logprobs {
            let sum = entry.top.reduce(0.0) { $0 + exp($1.logprob) }
            #expect(sum > 0.3 && sum <= 1.0001)
            #expect(entry.top.first?.token == entry.token, "greedy takes the likeliest")
            #expect(zip(entry.top, entry.top.dropFirst()).allSatisfy { $0.logprob >= $1.logprob })
        }
        await engine.shutdown()
    }

    @Test("an answer under a JSON schema parses and has the schema's members")
    func schema() async throws {
        let engine = try await TestModel.engine()
        let schema = try JSONValue.parse(
            #"{"type":"object","properties":{"city":{"type":"string","maxLength":12},"people":{"type":"integer","maximum":99}},"required":["city","people"],"additionalProperties":false}"#
        )
        let answer = try await engine.answers(
            question("Describe Paris.", maxTokens: 80) {
                $0.responseFormat = .jsonSchema(name: "city", schema: schema.objectValue ?? JSONObject())
            }
        ).first
        let json = try JSONValue.parse(answer.text)
        #expect(json.objectValue?.keys == ["city", "people"])
        #expect(json["city"]?.stringValue != nil)
        #expect(json["people"]?.intValue != nil)
        #expect(answer.reason == .stop)
        await engine.shutdown()
    }

    @Test("templates that take long do not keep other tasks waiting")
    func slowTemplates() async throws {
        let engine = try await TestModel.engine()
        let slow =
            "{%- for a in range(60) %}{%- for b in range(20) %}{%- set x = a * b %}{%- endfor %}{%- endfor %}{{ messages[0].content }}"
        final class Order: Sendable { let ended = Mutex<[String]>([]) }
        let order = Order()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount * 2 {
                group.addTask {
                    _ = try await engine.answers(question("hi", maxTokens: 1) { $0.chatTemplate = slow })
                    order.ended.withLock { $0.append("slow") }
                }
            }
            group.addTask { order.ended.withLock { $0.append("other") } }
            try await group.waitForAll()
        }
        #expect(order.ended.withLock { $0.first } == "other")
        await engine.shutdown()
    }

    @Test("a required tool call arrives as a call with arguments that parse")
    func toolCall() async throws {
        let engine = try await TestModel.engine()
        let answer = try await engine.answers(
            question("What is the weather in Paris?", maxTokens: 120) {
                $0.tools = [weather]
                $0.toolChoice = .function("get_weather")
            }
        ).first
        #expect(answer.reason == .toolCalls)
        #expect(answer.calls.first?.name == "get_weather")
        #expect(try JSONValue.parse(answer.calls.first?.arguments ?? "")["city"]?.stringValue != nil)
        #expect(answer.callIDs.first?.hasPrefix("call_") == true)
        await engine.shutdown()
    }

    private var weather: Tool {
        var tool = Tool()
        tool.function.name = "get_weather"
        tool.function.description = "The weather in a city"
        tool.function.parameters = try? JSONValue.parse(
            #"{"type":"object","properties":{"city":{"type":"string","maxLength":20}},"required":["city"]}"#
        ).objectValue
        return tool
    }
}
