import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniMedia
import OmniSpeech
import Synchronization
import Testing

/// Counts how often it is taken.
private final class CountingLane: ComputeLane {
    let holds = Mutex(0)
    let isWanted: Bool

    init(isWanted: Bool) { self.isWanted = isWanted }
    func acquire() { holds.withLock { $0 += 1 } }
    func release() {}
}

@Suite("The starter voice", .serialized, .enabled(if: StarterVoice.isThere))
struct SpeechEngineTests {
    @Test("speaks: length, level and records are those of speech")
    func speaks() async throws {
        let engine = try await StarterVoice.engine()
        #expect(engine.family == .piper && engine.voices == [SpeechVoice(name: "joe", language: "en-us")])
        let heard = try await engine.hear("Hello there, how are you today? I am very well, thank you.")
        #expect(heard.sampleRate == 22_050)
        #expect((2.0...8.0).contains(heard.clip.duration))
        #expect((0.01...0.5).contains(heard.level))
        #expect(heard.samples.allSatisfy { abs($0) <= 1.2 })
        #expect(heard.units.map(\.text) == ["Hello there, how are you today?", "I am very well, thank you."])
        #expect(heard.units.allSatisfy { $0.samples > 10_000 && $0.symbols > 10 && $0.dropped.isEmpty })
        let usage = try #require(heard.usage)
        #expect(usage.units == 2 && usage.inputTokens == heard.units.map(\.symbols).reduce(0, +))
        #expect(abs(usage.seconds - heard.clip.duration) < 0.001)
    }

    @Test("without noise, equal requests sound equal, bit for bit, also when others speak meanwhile")
    func deterministic() async throws {
        let engine = try await StarterVoice.engine(quiet: true)
        let request = SpeechSynthesis(text: "The same words. The same sound.", speed: 1.3, sampleRate: 24_000, seed: 7)
        let alone = try await engine.hear(request)
        async let first = engine.hear(request)
        async let second = engine.hear(SpeechSynthesis(text: "Something else entirely. And more of it."))
        async let third = engine.hear(request)
        let (one, _, three) = try await (first, second, third)
        #expect(one.samples == alone.samples && three.samples == alone.samples)
        #expect(alone.ignored.isEmpty)
    }

    @Test("several requests speak under one hold of the lane, unless others want it", arguments: [false, true])
    func parallelism(isWanted: Bool) async throws {
        let lane = CountingLane(isWanted: isWanted)
        let engine = try await SpeechEngine.load(
            folder: StarterVoice.folder, options: SpeechOptions(threads: 2), lane: lane, logger: Logger(label: "speech"))
        let text = String(repeating: "One more. ", count: 8)
        async let one = engine.hear(text)
        async let two = engine.hear(text)
        let units = try await one.units.count + two.units.count
        let holds = lane.holds.withLock { $0 }
        #expect(units == 16 && (isWanted ? holds == 16 : (1..<16).contains(holds)), "\(holds) holds")
        await engine.shutdown()
    }

    @Test("a request alone speaks its first sentence on all cores and the others side by side, in their order", arguments: [false, true])
    func sideBySide(isWanted: Bool) async throws {
        let lane = CountingLane(isWanted: isWanted)
        let engine = try await SpeechEngine.load(
            folder: StarterVoice.folder, options: SpeechOptions(threads: 2), lane: lane, logger: Logger(label: "speech"))
        let sentences = ["One.", "And here are two.", "Three follow them.", "Four.", "Five of them in all.", "Six."]
        let units = try await engine.hear(sentences.joined(separator: " ")).units
        #expect(units.map(\.text) == sentences && units.map(\.index) == Array(0..<6) && units.allSatisfy { $0.samples > 1000 })
        #expect(lane.holds.withLock { $0 } == (isWanted ? 6 : 4))
        await engine.shutdown()
    }

    @Test("a seed that cannot be honoured is named")
    func seed() async throws {
        let engine = try await StarterVoice.engine()
        let heard = try await engine.hear(SpeechSynthesis(text: "Yes.", instructions: "whisper", seed: 1))
        #expect(heard.ignored == ["seed", "instructions"])
    }

    @Test("speed changes the length and nothing else", arguments: [0.25, 0.5, 2, 4])
    func speed(speed: Double) async throws {
        let engine = try await StarterVoice.engine(quiet: true)
        let text = "Speed changes the length. It does not change the pitch."
        let normal = try await engine.hear(text)
        let changed = try await engine.hear(SpeechSynthesis(text: text, speed: speed))
        #expect(changed.samples.count == Int(Double(normal.samples.count) / speed))
        #expect(changed.units == normal.units)
    }

    @Test("other sample rates", arguments: [8000, 16_000, 24_000, 44_100, 48_000])
    func rates(rate: Int) async throws {
        let engine = try await StarterVoice.engine(quiet: true)
        let normal = try await engine.hear("A different rate.")
        let heard = try await engine.hear(SpeechSynthesis(text: "A different rate.", sampleRate: rate))
        #expect(heard.sampleRate == rate)
        #expect(abs(heard.clip.duration - normal.clip.duration) < 0.002)
    }

    @Test("no clicks where sentences meet")
    func joins() async throws {
        let engine = try await StarterVoice.engine(quiet: true)
        let heard = try await engine.hear("First one here. Second one there! Third one everywhere? Done, at last.")
        #expect(heard.units.count == 4)
        var edge = 0
        for unit in heard.units.dropLast() {
            edge += unit.samples
            let around = heard.samples[max(0, edge - 40)..<edge + 40]
            let largest = zip(around, around.dropFirst()).map { abs($0 - $1) }.max() ?? 1
            #expect(largest < 0.01, "a jump of \(largest) at sample \(edge)")
            #expect(heard.samples[edge + 100..<edge + 4000].allSatisfy { $0 == 0 }, "a pause follows")
            edge += Int(0.2 * 22_050)
        }
    }

    @Test(
        "texts without words, in other scripts, and hostile ones",
        arguments: [
            "😀😀😀", "...", "—", "مرحبا بالعالم", "你好，世界。", "שלום", "a\u{301}\u{302}\u{303}\u{304}\u{305}", "[[zyxquf]] zyxquf [[",
            "\u{0}\u{1}\u{202E}abc\u{202C}", String(repeating: "a", count: 3000), String(repeating: "é", count: 1500),
            "<speak>hi</speak> & &amp; %s %n",
            "line one\nline two\r\n- item\n\n# Title\n**bold** 5 * 3",
        ])
    func oddTexts(text: String) async throws {
        let heard = try await StarterVoice.engine().hear(text)
        #expect(heard.usage?.units == heard.units.count && !heard.units.isEmpty)
        #expect(heard.clip.duration >= 0.19)
    }

    @Test("nothing to say is refused, as is too much", arguments: ["", "   ", "\n\n", "\u{200B}"])
    func empty(text: String) async throws {
        let engine = try await StarterVoice.engine()
        await #expect { try await engine.hear(text) } throws: { ($0 as? APIError)?.status == 400 }
    }

    @Test("a megabyte of text is 413 with the limit")
    func tooLong() async throws {
        let engine = try await StarterVoice.engine()
        await #expect { try await engine.hear(String(repeating: "word ", count: 200_000)) } throws: {
            ($0 as? APIError)?.status == 413 && ($0 as? APIError)?.message.contains("200000") == true
        }
    }

    @Test("wrong voices, speeds, rates and samples are refused before anything is spoken")
    func refusals() async throws {
        let engine = try await StarterVoice.engine()
        for request in [
            SpeechSynthesis(text: "x", voice: "nobody"), SpeechSynthesis(text: "x", speed: 5), SpeechSynthesis(text: "x", sampleRate: 7),
            SpeechSynthesis(text: "x", language: "klingonish"),
            SpeechSynthesis(text: "x", reference: ReferenceVoice(samples: [0], sampleRate: 8000)),
        ] {
            await #expect { try await engine.speak(request, scope: RequestScope(id: "x")) } throws: { ($0 as? APIError)?.status == 400 }
        }
        #expect(try await engine.hear(SpeechSynthesis(text: "x", voice: "JOE")).samples.isEmpty == false)
        #expect(try await engine.hear(SpeechSynthesis(text: "x", voice: "default", language: "English")).samples.isEmpty == false)
    }

    @Test("cancelled, or its stream dropped, it stops within a sentence")
    func cancellation() async throws {
        let engine = try await StarterVoice.engine()
        let long = String(repeating: "This is one more sentence of a long text. ", count: 60)
        let scope = RequestScope(id: "cancelled")
        await #expect(throws: CancellationError.self) {
            let generation = try await engine.speak(SpeechSynthesis(text: long), scope: scope)
            for try await event in generation.events {
                if case .unit(let unit) = event {
                    if unit.index == 0 { scope.cancellation.cancel() }
                    #expect(unit.index < 3)
                }
            }
        }
        do {
            let generation = try await engine.speak(SpeechSynthesis(text: long), scope: RequestScope(id: "dropped"))
            for try await _ in generation.events { break }
        }
        // A short request gets through at once: nothing of the long ones is left in the queue.
        let began = ContinuousClock.now
        _ = try await engine.hear("Short.")
        #expect(ContinuousClock.now - began < .seconds(3))
    }

    @Test("a slow reader does not fill the memory, and gets everything")
    func backPressure() async throws {
        let engine = try await StarterVoice.load(SpeechOptions(lead: 2))
        let text = String(repeating: "A sentence that is spoken. ", count: 12)
        let generation = try await engine.speak(SpeechSynthesis(text: text), scope: RequestScope(id: "slow"))
        // Another request overtakes the one that waits for its reader.
        _ = try await engine.hear("Another listener.")
        var units = 0
        for try await event in generation.events { if case .unit = event { units += 1 } }
        #expect(units == 12)
        await engine.shutdown()
        await #expect { try await engine.hear("Too late.") } throws: { ($0 as? APIError)?.status == 503 }
    }
}
