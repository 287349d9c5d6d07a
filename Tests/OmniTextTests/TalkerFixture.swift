import CLlama
import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama
import OmniTestSupport
import Testing

@testable import OmniConversion
@testable import OmniText

/// The tiny Qwen2.5-Omni of Tools/omni/make_checkpoint.py, and what Tools/omni/talker_goldens.py recorded of it.
enum TalkerFixture {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/omni")
    static let folder = root.appending(path: "qwen2.5-omni").path
    static let logger = Logger(label: "test")

    /// Thinker, talker and encoders as GGUFs in f32, made once for all tests of a run.
    struct Files: Sendable {
        let keeper: TemporaryFolder
        let thinker, talker: String
        /// A talker whose heads are wider than the model shared out among them.
        let wide: String
        let encoders: String?
    }

    static let files = Result { () throws -> Files in
        LlamaLog.start(logger: logger)
        let keeper = try TemporaryFolder()
        let conversion = try Conversion(folder: folder, quantization: try Quantization(named: "f32"), threads: 2, logger: logger)
        let cache = ConversionCache(folder: keeper.url.path)
        let made = try cache.files(of: conversion, logger: logger) { _ in }
        let wide = try Conversion(Checkpoint.talker(root.appending(path: "wide-talker").path), like: conversion)
        guard let own = try conversion.ofTalker() else { throw ConversionError(.missing, folder, "It has no talker.") }
        func path(_ talker: Conversion) throws -> String {
            let files = try cache.files(of: talker, logger: logger) { _ in }
            return files.path
        }
        return Files(
            keeper: keeper, thinker: made.path, talker: try path(own), wide: try path(wide),
            encoders: made.encoders)
    }

    static func model(wide: Bool = false) throws -> TalkerModel {
        let files = try files.get()
        return try TalkerModel(
            path: wide ? files.wide : files.talker, thinker: LlamaModel(path: files.thinker) { _ in },
            placement: ModelPlacement(gpuLayers: 0))
    }

    static func talker(sequences: Int = 2, length: Int = 512, wide: Bool = false) throws -> Talker {
        try Talker(
            model: model(wide: wide), setup: TalkerSetup(sequences: sequences, length: length, batch: 48, threads: 1, isExact: true),
            lane: FreeLane())
    }

    /// An engine that speaks with a made-up decoder.
    static func engine(
        _ decoder: some CodecDecoder = ToneDecoder(), lane: any ComputeLane = FreeLane(),
        change: (inout TextEngineOptions) -> Void = { _ in }
    ) async throws
        -> TextEngine
    {
        let files = try files.get()
        var options = TextEngineOptions()
        options.threads = 1
        options.mmproj = files.encoders
        options.generationConfig = .none
        options.isExact = true
        var voice = VoiceParts(talker: files.talker, decoder: decoder, lane: FreeLane())
        voice.isExact = true
        options.voice = voice
        change(&options)
        return try #require(
            try await TextEngine.load(path: files.thinker, options: options, lane: lane, logger: logger) as? TextEngine)
    }

    // MARK: Goldens

    struct Case: Sendable {
        let question: String
        let voice: Int
        let ids, reply: [Int]
        /// Rows of the prompt and of the reply.
        let prompt, replies: [[Float]]
        let places: [RotaryPlace]
        let steps: [Int]
        let logits: [[Float]]
        let greedy, drawn: [Int]
        var isWide: Bool { question == "wide" }
    }

    static let golden = Result { () throws -> (seed: Int, system: String, cases: [Case]) in
        let json = try JSONValue.parse(Data(contentsOf: root.appending(path: "talker.json")))
        let cases = try #require(json["cases"]?.arrayValue).map { try readCase($0) }
        return (json["seed"]?.intValue ?? 0, json["system"]?.stringValue ?? "", cases)
    }

    private static func readCase(_ json: JSONValue) throws -> Case {
        func numbers(_ value: JSONValue?) -> [Int] { value?.arrayValue?.compactMap(\.intValue) ?? [] }
        func rows(_ key: String) throws -> [[Float]] {
            let packed = try #require(json[key]), width = try #require(numbers(packed["shape"]).last)
            let bytes = try #require(Data(base64Encoded: packed["f32"]?.stringValue ?? ""))
            let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
        }
        let axes = try #require(json["positions"]?.arrayValue).map(numbers)
        return Case(
            question: json["question"]?.stringValue ?? "", voice: json["speaker_token"]?.intValue ?? 0, ids: numbers(json["ids"]),
            reply: numbers(json["reply_ids"]), prompt: try rows("prompt"), replies: try rows("reply"),
            places: axes[0].indices.map { RotaryPlace(time: Int32(axes[0][$0]), height: Int32(axes[1][$0]), width: Int32(axes[2][$0])) },
            steps: numbers(json["steps"]), logits: try rows("logits"), greedy: numbers(json["greedy"]), drawn: numbers(json["drawn"]))
    }

    /// The largest difference, as a share of the largest number of the reference.
    static func distance(_ own: [[Float]], _ reference: [[Float]]) -> Float {
        guard own.map(\.count) == reference.map(\.count) else { return .infinity }
        let largest = reference.joined().map(abs).max() ?? 0
        return zip(own.joined(), reference.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
    }
}

/// Makes a number of samples of each code, once it has several: what sound is made of can be told from the sound.
struct ToneDecoder: CodecDecoder {
    var sampleRate = 24_000
    var codeCount = 111
    var voices = [CodecVoice(name: "Chelsie", beginToken: 632), CodecVoice(name: "Ethan", beginToken: 630)]
    var weightBytes: Int { 0 }
    /// Thrown after so many codes.
    var failsAfter = Int.max

    func voice(named name: String) -> CodecVoice? { voices.first { $0.name.lowercased() == name.lowercased() } }
    func check(_ settings: CodecSettings) throws {
        if settings.steps == 0 { throw APIError.invalid("body.token2wav_steps", "0 steps make no sound.") }
    }
    func stream(_ voice: CodecVoice, settings: CodecSettings, cancellation: CancellationToken) throws -> any CodecStream {
        Stream(cancellation: cancellation, failsAfter: failsAfter)
    }

    final class Stream: CodecStream {
        static let chunk = 8, samples = 10
        private var open: [Int32] = []
        private var seen = 0
        private let cancellation: CancellationToken
        private let failsAfter: Int

        init(cancellation: CancellationToken, failsAfter: Int) { (self.cancellation, self.failsAfter) = (cancellation, failsAfter) }

        func append(_ codes: [Int32]) throws -> [Float] {
            try cancellation.check()
            seen += codes.count
            if seen > failsAfter { throw APIError(.internalError, "The decoder is broken.") }
            open += codes
            let whole = open.count / Self.chunk * Self.chunk
            defer { open.removeFirst(whole) }
            return Self.sound(open.prefix(whole))
        }

        func finish() throws -> [Float] { Self.sound(open[...]) }

        private static func sound(_ codes: ArraySlice<Int32>) -> [Float] {
            codes.flatMap { [Float](repeating: Float($0) / 128, count: samples) }
        }
    }

    static func codes(_ samples: [Float]) -> [Int] {
        stride(from: 0, to: samples.count, by: Stream.samples).map { Int((samples[$0] * 128).rounded()) }
    }
}
