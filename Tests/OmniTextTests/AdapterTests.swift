import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniLlama
import OmniTestSupport
import Testing

@testable import OmniText

@Suite("Turns of adapters") struct AdapterTurnTests {
    private let one = AdapterFile(path: "one", version: ""), two = AdapterFile(path: "two", version: "")

    @Test("who is alone goes on; several go on for a turn each, and nobody is passed over") func turns() {
        var turns = AdapterTurns()
        var now = ContinuousClock.now
        #expect(turns.next(among: [nil], now: now) == nil)
        #expect(turns.next(among: [one], now: now) == one)
        now += .seconds(5)
        #expect(turns.next(among: [one], now: now) == one)
        var seen: [AdapterFile?] = []
        for _ in 0..<40 {
            now += AdapterTurns.length / 4
            let next = turns.next(among: [one, nil, one, two, one], now: now)
            if seen.last != .some(next) { seen.append(next) }
        }
        // Whatever the order, each of three comes back after two others.
        for place in 3..<seen.count { #expect(seen[place] == seen[place - 3]) }
        #expect(Set(seen) == [nil, one, two])
        #expect(turns.next(among: [two], now: now) == two)
    }

    @Test("what one adapter computed is not found by another") func places() {
        var held = Prompt(Array(1...50))
        held.adapter = one
        var table = SlotTable(count: 2)
        table.release(0, keeping: held)
        #expect(table.placement(for: held, limit: 49, cutsAnywhere: true) == .continued(slot: 0, reuse: 49))
        for other in [nil, two, AdapterFile(path: "one", version: "newer")] {
            var prompt = held
            prompt.adapter = other
            #expect(table.placement(for: prompt, limit: 49, cutsAnywhere: true) == .continued(slot: 1, reuse: 0))
        }
    }
}

/// A tiny random Llama with two adapters, which Tools/conversion/adapters.py made.
@Suite("Answers with adapters", .serialized, .timeLimit(.minutes(2))) struct AdapterAnswerTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "OmniConversionTests/Fixtures")
    private static let logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .error
        return logger
    }()

    /// The engine, and the folder of its files.
    private func engine(most: Int = 8, unified: Bool? = nil) throws -> (TextEngine, TemporaryFolder) {
        let folder = try TemporaryFolder()
        for source in ["checkpoints/llama3", "tokenizers/llama3"] {
            let place = Self.fixtures.appending(path: source)
            for file in try FileManager.default.contentsOfDirectory(atPath: place.path) where !["golden.json", "ids.json"].contains(file) {
                try FileManager.default.copyItem(at: place.appending(path: file), to: folder.url.appending(path: file))
            }
        }
        let path = folder.url.appending(path: "model.gguf").path
        try Conversion(folder: folder.url.path, threads: 1, logger: Self.logger).run(to: path)
        let base = try AdapterBase(gguf: path), cache = ConversionCache(folder: folder.url.appending(path: "made").path)
        var options = TextEngineOptions()
        (options.threads, options.maxModelLength, options.unifiedCache, options.maxAdapters) = (1, 256, unified, most)
        options.speculation = SpeculativeConfig(method: SpeculativeConfig.Method.none)
        options.adapterFile = { module in
            let adapter = try LanguageAdapter(path: module.path, base: base)
            return AdapterFile(path: try cache.file(of: adapter, base: base, logger: Self.logger), version: "")
        }
        LlamaLog.start(logger: Self.logger)
        return (try TextEngine(model: LlamaModel(path: path) { _ in }, options: options, lane: FreeLane(), logger: Self.logger), folder)
    }

    private func module(_ name: String?) -> LoRAModule? {
        name.map { LoRAModule(name: $0, path: Self.fixtures.appending(path: "adapters/\($0)").path) }
    }

    private func answer(_ engine: TextEngine, _ adapter: String?, seed: Int, tokens: Int = 24) async throws -> [String] {
        let request = completion([.tokens((0..<20).map { ($0 * 7 + seed) % 500 + 1 })], maxTokens: tokens) {
            $0.logprobs = 1
            $0.sampling.ignoreEOS = true
        }
        let scope = RequestScope(id: "test", adapter: module(adapter))
        return try await Answers(engine.complete(request, scope: scope)).first.logprobs.map(\.token)
    }

    private static let all: [String?] = [nil, "llama3", "llama3-other.gguf"]

    @Test("beside each other each says what it says alone", arguments: [true, false]) func beside(unified: Bool) async throws {
        let (engine, folder) = try engine(unified: unified)
        defer { withExtendedLifetime(folder) {} }
        var alone: [[String]] = []
        for adapter in Self.all { alone.append(try await answer(engine, adapter, seed: 3)) }
        #expect(Set(alone).count == 3, "the adapters change the answers")
        try await withThrowingTaskGroup(of: (Int, [String]).self) { group in
            for _ in 0..<3 {
                for (place, adapter) in Self.all.enumerated() { group.addTask { (place, try await answer(engine, adapter, seed: 3)) } }
            }
            for try await (place, found) in group { #expect(found == alone[place]) }
        }
        await engine.shutdown()
    }

    @Test("a folder of PEFT and its GGUF say the same") func forms() async throws {
        let (engine, folder) = try engine()
        defer { withExtendedLifetime(folder) {} }
        #expect(try await answer(engine, "llama3-other", seed: 9) == answer(engine, "llama3-other.gguf", seed: 9))
        await engine.shutdown()
    }

    @Test("with room for one adapter in memory the others come in turns") func fewPlaces() async throws {
        let (engine, folder) = try engine(most: 1)
        defer { withExtendedLifetime(folder) {} }
        var alone: [[String]] = []
        for adapter in Self.all { alone.append(try await answer(engine, adapter, seed: 5, tokens: 8)) }
        try await withThrowingTaskGroup(of: (Int, [String]).self) { group in
            for place in Self.all.indices {
                for _ in 0..<2 { group.addTask { (place, try await answer(engine, Self.all[place], seed: 5, tokens: 8)) } }
            }
            for try await (place, found) in group { #expect(found == alone[place]) }
        }
        await engine.shutdown()
    }

    @Test("an adapter that cannot be loaded ends its own request only") func damaged() async throws {
        let (engine, folder) = try engine()
        defer { withExtendedLifetime(folder) {} }
        async let other = answer(engine, nil, seed: 1)
        await #expect(throws: (any Error).self) { _ = try await answer(engine, "qwen3", seed: 1) }
        #expect(try await other.count == 24)
        await engine.shutdown()
    }
}
