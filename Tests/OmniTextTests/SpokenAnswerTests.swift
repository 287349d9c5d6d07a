import Foundation
import OmniAPI
import OmniEngine
import OmniLlama
import OmniTestSupport
import Synchronization
import Testing

@testable import OmniText

@Suite("Answers that the model speaks itself", .timeLimit(.minutes(10)))
struct SpokenAnswerTests {
    private func picture() -> ChatPart {
        // The gradient of Tools/omni/talker_goldens.py, as a BMP: rows from the bottom, blue first.
        let (width, height) = (84, 56)
        var pixels: [UInt8] = []
        for row in (0..<height).reversed() {
            for column in 0..<width { for factor in [3, 2, 1] { pixels.append(UInt8((row + 2 * column) * factor % 256)) } }
        }
        func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        let header =
            Array("BM".utf8) + little(54 + pixels.count, 4) + little(0, 4) + little(54, 4) + little(40, 4) + little(width, 4)
            + little(height, 4) + little(1, 2) + little(24, 2) + little(0, 4) + little(pixels.count, 4) + little(2835, 8) + little(0, 8)
        return .image(url: "data:image/bmp;base64,\(Data(header + pixels).base64EncodedString())")
    }

    private func request(_ golden: TalkerFixture.Case, place: Int, maxTokens: Int = 12) -> ChatCompletionRequest {
        question(golden.question, maxTokens: maxTokens) {
            if place == 1 { $0.messages[0].content = .parts([picture(), .text(golden.question)]) }
        }
    }

    @Test("the talker is fed with what transformers feeds it: states after the last norm and vectors of tokens, for pictures states alone")
    func rows() async throws {
        let engine = try await TalkerFixture.engine { $0.batchSize = 48 }
        for (place, golden) in try TalkerFixture.golden.get().cases.filter({ !$0.isWide }).enumerated() {
            let feed = Mutex<ThinkerFeed?>(nil)
            let generation = try await engine.chat(
                request(golden, place: place), scope: RequestScope(id: "test"), systemPrompt: Speaker.systemPrompt
            ) { prompt in
                #expect(prompt.tokens.map { $0 < 0 ? 612 : Int($0) } == golden.ids)
                let own = ThinkerFeed(promptCount: prompt.tokens.count)
                feed.withLock { $0 = own }
                return own
            }
            let answer = try await Answers(generation)
            let own = try #require(feed.withLock { $0 })
            let (prompt, replies) = (own.take(most: .max), own.take(most: .max))
            #expect(answer.usage.completionTokens == golden.reply.count)
            let distances = (
                TalkerFixture.distance(prompt.map(\.values), golden.prompt), TalkerFixture.distance(replies.map(\.values), golden.replies)
            )
            // The encoder of pictures computes in f16 here and there.
            #expect(distances.0 < (place == 0 ? 1e-3 : 5e-3) && distances.1 < 1e-3, "\(golden.question): \(distances)")
            #expect(prompt.map(\.place) == Array(golden.places.prefix(golden.prompt.count)))
            #expect(own.isEmptied)
        }
        await engine.shutdown()
    }

    @Test("a conversation's next turn is fed with what was made of its earlier turns, which are not read again")
    func turns() async throws {
        let engine = try await TalkerFixture.engine(), fresh = try await TalkerFixture.engine()
        func rows(_ request: ChatCompletionRequest, _ engine: TextEngine) async throws -> (rows: [ThinkerFeed.Row], answer: Answers) {
            let feed = Mutex<ThinkerFeed?>(nil)
            let generation = try await engine.chat(request, scope: RequestScope(id: "test"), systemPrompt: Speaker.systemPrompt) { prompt in
                let own = ThinkerFeed(promptCount: prompt.tokens.count)
                feed.withLock { $0 = own }
                return own
            }
            let answer = try await Answers(generation)
            let own = try #require(feed.withLock { $0 })
            return (own.take(most: .max) + own.take(most: .max), answer)
        }
        var conversation = question("Say hello.", maxTokens: 8)
        let first = try await rows(conversation, engine)
        #expect(first.answer.usage.cachedTokens == 0)
        conversation.messages += [ChatMessage(.assistant, first.answer.first.text), ChatMessage(.user, "And again?")]
        let second = try await rows(conversation, engine), alone = try await rows(conversation, fresh)
        #expect(second.answer.usage.cachedTokens > 90 && alone.answer.usage.cachedTokens == 0)
        #expect(TalkerFixture.distance(second.rows.map(\.values), alone.rows.map(\.values)) < 1e-3)
        #expect(second.rows.map(\.place) == alone.rows.map(\.place) && second.answer.first.text == alone.answer.first.text)
        // Text that nobody heard has no states to be found.
        _ = try await engine.answers(question("How are you?", maxTokens: 4))
        #expect(try await rows(question("How are you?", maxTokens: 4), engine).answer.usage.cachedTokens < 110)
        await engine.shutdown()
        await fresh.shutdown()
    }

    /// What happened, in its order, and the sound.
    private struct Heard {
        var order: [String] = []
        var samples: [Float] = []
        var text = ""
        var usage = Usage()

        init(_ generation: TextGeneration, onSound: () -> Void = {}) async throws {
            for try await event in generation.events {
                switch event {
                case .text(_, let piece, _):
                    text += piece
                    order.append("text")
                case .audio(_, let more, let rate):
                    #expect(rate == 24_000 && !more.isEmpty)
                    samples += more
                    order.append("audio")
                    onSound()
                case .finished: order.append("finished")
                case .usage(let counts):
                    usage = counts
                    order.append("usage")
                default: order.append("other")
                }
            }
        }
    }

    private func greedy(_ voice: String? = nil, codes: Int = 40) -> SpokenAnswer {
        var speech = SpokenAnswer(voice: voice)
        (speech.temperature, speech.maxTokens) = (0, codes)
        return speech
    }

    @Test("sound comes while the text goes on, and the answer is finished when both are")
    func order() async throws {
        let lane = GateLane()
        let engine = try await TalkerFixture.engine(lane: lane)
        #expect(engine.capabilities == [.chat, .spokenChat, .speech] && engine.chatVoices.map(\.name) == ["Chelsie", "Ethan"])
        let long = question("Say hello.", maxTokens: 600) { $0.sampling.ignoreEOS = true }
        // The thinker gets no turn after these until something was heard.
        lane.close(after: 60)
        let heard = try await Heard(engine.chat(long, speech: greedy(), scope: RequestScope(id: "test"))) { lane.open() }
        let first = try #require(heard.order.firstIndex(of: "audio")), last = try #require(heard.order.lastIndex(of: "text"))
        #expect(first < last, "the first sound comes before the last word")
        #expect(heard.order.suffix(2) == ["finished", "usage"] && heard.usage.audioTokens == 40 && heard.usage.completionTokens == 600)
        #expect(heard.samples.count == 40 * ToneDecoder.Stream.samples)
        let other = try await Heard(engine.chat(long, speech: greedy("ETHAN"), scope: RequestScope(id: "test")))
        #expect(ToneDecoder.codes(other.samples) != ToneDecoder.codes(heard.samples) && other.text == heard.text)
        await engine.shutdown()
    }

    @Test("who speaks does not change what others are told, and is told the same as without sound")
    func others() async throws {
        let engine = try await TalkerFixture.engine()
        let plain = question("What is the time?", maxTokens: 40)
        let alone = try await engine.answers(plain).first.text
        var system = question("Say hello.", maxTokens: 40)
        let spoken = try await Heard(engine.chat(system, speech: greedy(), scope: RequestScope(id: "test")))
        system.messages.insert(ChatMessage(.system, Speaker.systemPrompt), at: 0)
        #expect(try await engine.answers(system).first.text == spoken.text, "the system's message is the fixed one")
        #expect(try await Heard(engine.chat(system, speech: greedy(), scope: RequestScope(id: "test"))).text == spoken.text)
        try await withThrowingTaskGroup(of: (String, Bool).self) { group in
            for place in 0..<6 {
                group.addTask { [self] in
                    guard place % 2 == 1 else { return (try await engine.answers(plain).first.text, false) }
                    return (
                        try await Heard(
                            engine.chat(question("Say hello.", maxTokens: 40), speech: greedy(), scope: RequestScope(id: "test"))
                        ).text, true
                    )
                }
            }
            for try await (text, isSpoken) in group { #expect(text == (isSpoken ? spoken.text : alone)) }
        }
        await engine.shutdown()
    }

    @Test("bad wishes are refused before a word is said")
    func refused() async throws {
        let engine = try await TalkerFixture.engine { $0.voice?.longestPrompt = 100 }
        func refusal(_ request: ChatCompletionRequest, _ speech: SpokenAnswer) async -> APIError? {
            do {
                _ = try await engine.chat(request, speech: speech, scope: RequestScope(id: "test"))
                return nil
            } catch { return error as? APIError }
        }
        let voice = await refusal(question("hi"), greedy("Bob"))
        #expect(voice?.status == 400 && voice?.param == "audio.voice")
        #expect(voice?.message.contains("Chelsie, Ethan") == true)
        #expect(await refusal(question("hi") { $0.n = 2 }, greedy())?.param == "body.n")
        var speech = greedy()
        speech.codec.steps = 0
        #expect(await refusal(question("hi"), speech)?.param == "body.token2wav_steps")
        #expect(await refusal(question("hi"), greedy())?.code == .tooLarge, "the system's message alone has more than 100 tokens")
        await engine.shutdown()
    }

    @Test("whoever leaves stops all three stages, and a decoder that fails ends the answer")
    func ends() async throws {
        let lane = GateLane()
        let engine = try await TalkerFixture.engine(lane: lane)
        let scope = RequestScope(id: "test")
        let long = question("Say hello.", maxTokens: 3000) { $0.sampling.ignoreEOS = true }
        // The thinker gets no turn after these until the client has left: it cannot be done before.
        lane.close(after: 60)
        var generation: TextGeneration? = try await engine.chat(long, speech: greedy(codes: 4000), scope: scope)
        for try await event in try #require(generation).events { if case .audio = event { break } }
        generation = nil
        #expect(scope.cancellation.isCancelled)
        lane.open()
        try await until {
            let now = engine.statistics
            let spoken = engine.speaker?.talker.statistics
            return now.running == 0 && spoken?.running == 0 && spoken?.decoding == 0
        }
        #expect(engine.statistics.requestsCancelled == 1)
        await engine.shutdown()

        var broken = ToneDecoder()
        broken.failsAfter = 10
        let other = try await TalkerFixture.engine(broken)
        await #expect(throws: APIError.self) { _ = try await Heard(other.chat(long, speech: greedy(), scope: RequestScope(id: "test"))) }
        try await until { other.statistics.running == 0 && other.speaker?.talker.statistics.running == 0 }
        #expect(try await other.answers(question("hi", maxTokens: 4)).usage.completionTokens > 0)
        await other.shutdown()
    }
}
