import Foundation
import OmniAPI
import OmniEngine
import OmniLlama
import OmniTestSupport
import Synchronization
import Testing

@testable import OmniConversion
@testable import OmniText

@Suite("The talker", .timeLimit(.minutes(10)))
struct TalkerTests {
    /// Speaks a recorded case, its rows handed over in pieces of `step`.
    private func speak(_ golden: TalkerFixture.Case, with talker: Talker, draws: Bool = false, step: Int = .max) async throws
        -> (codes: [Int], logits: [[Float]])
    {
        let tokens = talker.model.tokens
        var plan = SamplingPlan(SpokenAnswer(), tokens: tokens)
        plan.seed = UInt64(try TalkerFixture.golden.get().seed)
        if !draws { plan.temperature = 0 }
        // The reference is not let end early either.
        plan.biases += [tokens.end, tokens.pad].map { ($0, -.infinity) }
        let feed = ThinkerFeed(promptCount: golden.prompt.count) { talker.wake() }
        let seen = Recorder()
        let codes = BoundedQueue<Token>(limit: .max)
        try talker.add(
            TalkerRequest(
                feed: feed, voice: golden.voice, plan: plan, maxCodes: golden.greedy.count, cancellation: CancellationToken(), codes: codes,
                watch: { seen.add($0) }))
        let rows = (golden.prompt + golden.replies).enumerated().map { place, values in
            ThinkerFeed.Row(values: values, place: golden.places[min(place, golden.places.count - 1)])
        }
        for start in stride(from: 0, to: rows.count, by: min(step, rows.count)) {
            for place in start..<min(start + min(step, rows.count), rows.count) { feed.add(rows[place], at: place) }
            feed.deliver()
            if step < rows.count { await Task.yield() }
        }
        feed.end()
        var all: [Int] = []
        while let code = try await codes.next() { all.append(Int(code)) }
        return (all, golden.steps.map { seen.rows[$0] })
    }

    private final class Recorder: Sendable {
        private let state = Mutex<[[Float]]>([])
        var rows: [[Float]] { state.withLock { $0 } }
        func add(_ row: [Float]) { state.withLock { $0.append(row) } }
    }

    @Test("computes what transformers computes: logits at several steps, greedy codes, and drawn ones with the same random numbers")
    func parity() async throws {
        for golden in try TalkerFixture.golden.get().cases {
            let talker = try TalkerFixture.talker(wide: golden.isWide)
            let (greedy, logits) = try await speak(golden, with: talker)
            let distance = TalkerFixture.distance(logits, golden.logits)
            #expect(distance < 1e-3, "\(golden.question): \(distance)")
            #expect(greedy == golden.greedy, "\(golden.question)")
            let drawn = try await speak(golden, with: talker, draws: true).codes
            #expect(drawn == golden.drawn, "\(golden.question)")
            await talker.stop()
        }
    }

    @Test("says the same however its rows come, and whoever speaks beside it", arguments: [1, 7, 50])
    func pieces(step: Int) async throws {
        let talker = try TalkerFixture.talker()
        let cases = try TalkerFixture.golden.get().cases.filter { !$0.isWide }
        let codes = try await withThrowingTaskGroup(of: (Int, [Int]).self) { group in
            for (place, golden) in (cases + cases).enumerated() {
                group.addTask { (place, try await speak(golden, with: talker, step: step).codes) }
            }
            return try await group.reduce(into: [Int: [Int]]()) { $0[$1.0] = $1.1 }
        }
        for (place, golden) in (cases + cases).enumerated() { #expect(codes[place] == golden.greedy) }
        #expect(talker.statistics.running == 0 && talker.statistics.waiting == 0)
        await talker.stop()
    }

    @Test("an answer without words has no codes, and one that is given up ends with its feed open")
    func ends() async throws {
        let talker = try TalkerFixture.talker(sequences: 1)
        let golden = try TalkerFixture.golden.get().cases[0]
        func start(_ token: CancellationToken) throws -> (ThinkerFeed, BoundedQueue<Token>) {
            let feed = ThinkerFeed(promptCount: golden.prompt.count) { talker.wake() }
            let codes = BoundedQueue<Token>(limit: .max)
            try talker.add(
                TalkerRequest(
                    feed: feed, voice: golden.voice, plan: SamplingPlan(SpokenAnswer(), tokens: talker.model.tokens), maxCodes: 8,
                    cancellation: token, codes: codes))
            for (place, row) in golden.prompt.enumerated() {
                feed.add(ThinkerFeed.Row(values: row, place: golden.places[place]), at: place)
            }
            feed.deliver()
            return (feed, codes)
        }
        let token = CancellationToken()
        let (_, abandoned) = try start(token)
        let (silent, none) = try start(CancellationToken())
        silent.end()
        token.cancel()
        await #expect(throws: CancellationError.self) { _ = try await abandoned.next() }
        // Its place went to the one that waited.
        #expect(try await none.next() == nil)
        await talker.stop()
        #expect(throws: APIError.self) { _ = try start(CancellationToken()) }
    }

    @Test("a talker that is damaged, or of another kind, is refused before anything is written")
    func refused() throws {
        let copy = try TemporaryFolder()
        let path = copy.url.appending(path: "config.json")
        for file in ["config.json", "model.safetensors"] {
            try FileManager.default.copyItem(
                at: TalkerFixture.root.appending(path: "wide-talker/\(file)"), to: copy.url.appending(path: file))
        }
        let config = try String(contentsOf: path, encoding: .utf8)
        func fault(_ old: String, _ new: String) throws -> String? {
            #expect(config.contains(old), "\(old)")
            try config.replacing(old, with: new).write(to: path, atomically: true, encoding: .utf8)
            do {
                _ = try ConversionPlan(talker: Checkpoint.talker(copy.url.path), type: nil)
                return nil
            } catch { return error.problem }
        }
        #expect(try fault("talker_config", "talker_config") == nil)
        #expect(try fault("qwen2_5_omni_talker", "qwen3_omni_moe_talker")?.contains("qwen3_omni_moe_talker") == true)
        #expect(try fault("\"embedding_size\": 64", "\"embedding_size\": 96")?.contains("embedding_size") == true)
        #expect(try fault("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")?.contains("model.layers.2") == true)
        #expect(try fault("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1")?.contains("talker.model.layers.1") == true)
        #expect(try fault("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"")?.contains("gelu") == true)
        #expect(try fault("\"tts_codec_end_token_id\": 102", "\"tts_codec_end_token_id\": -1")?.contains("tts_codec_end_token_id") == true)
    }

    @Test("a talker may be stored in other types", arguments: ["source", "f16", "q8_0"])
    func types(name: String) async throws {
        let keeper = try TemporaryFolder()
        let conversion = try Conversion(
            folder: TalkerFixture.folder, quantization: name == "source" ? .source : Quantization(named: name), threads: 1,
            logger: TalkerFixture.logger)
        let own = try #require(try conversion.ofTalker()), path = keeper.url.appending(path: "talker.gguf").path
        try own.run(to: path)
        let thinker = try LlamaModel(path: TalkerFixture.files.get().thinker) { _ in }
        let model = try TalkerModel(path: path, thinker: thinker, placement: ModelPlacement(gpuLayers: 0))
        let talker = try Talker(model: model, setup: TalkerSetup(sequences: 1, length: 512, threads: 1), lane: FreeLane())
        let golden = try TalkerFixture.golden.get().cases[0]
        let (codes, logits) = try await speak(golden, with: talker)
        #expect(codes.count == golden.greedy.count)
        let distance = TalkerFixture.distance([logits[0]], [golden.logits[0]])
        #expect(distance < 0.1, "\(distance)")
        await talker.stop()
    }

    @Test("rows are taken in order, and one that comes again is dropped")
    func feed() {
        let feed = ThinkerFeed(promptCount: 2)
        func row(_ value: Float) -> ThinkerFeed.Row { ThinkerFeed.Row(values: [value], place: RotaryPlace(0)) }
        for (value, place) in [(0, 0), (1, 1), (9, 0), (9, 1), (2, 2), (9, 5), (3, 3)] as [(Float, Int)] { feed.add(row(value), at: place) }
        #expect(feed.take(most: 9) == [row(0), row(1)] && feed.take(most: 1) == [row(2)] && !feed.isEmptied)
        feed.end()
        feed.add(row(4), at: 4)
        let pieces = ThinkerFeed(promptCount: 3)
        for place in 0..<2 { pieces.add(row(Float(place)), at: place) }
        #expect(pieces.take(most: 8, isPiece: true).isEmpty && pieces.take(most: 2, isPiece: true).count == 2)
        pieces.add(row(2), at: 2)
        #expect(pieces.take(most: 2, isPiece: true) == [row(2)])
        #expect(!feed.isEmptied && feed.take(most: 9) == [row(3)] && feed.isEmptied && !feed.hasRows)
    }
}
