import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama
import OmniMedia
import Testing

@testable import OmniText

/// A tiny random model with eyes and ears (Tools/text/make_fixtures.py): its words mean nothing, that they depend on
/// what it sees and hears is what counts.
@Suite("Pictures and sounds", .serialized, .timeLimit(.minutes(10)))
struct MediaTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "Fixtures/text")

    private func engine(_ change: (inout TextEngineOptions) -> Void = { _ in }) async throws -> TextEngine {
        var options = TextEngineOptions()
        options.threads = 1
        options.mmproj = Self.folder.appending(path: "tiny-mmproj.gguf").path
        change(&options)
        var logger = Logger(label: "test")
        logger.logLevel = .error
        let model = try await TextEngine.load(
            path: Self.folder.appending(path: "tiny.gguf").path, options: options, lane: FreeLane(), logger: logger)
        return try #require(model as? TextEngine)
    }

    private func look(_ parts: [ChatPart], maxTokens: Int = 8, id: String = "look") -> ChatCompletionRequest {
        question("", maxTokens: maxTokens) {
            $0.messages[0].content = .parts(parts)
            $0.sampling.ignoreEOS = true
            $0.logprobs = true
        }
    }

    /// A BMP of one color, `size` pixels wide and high.
    static func picture(_ color: (UInt8, UInt8, UInt8), size: Int = 64) -> ChatPart {
        let row = (size * 3 + 3) / 4 * 4
        var bytes =
            Array("BM".utf8) + little(54 + row * size, 4) + [0, 0, 0, 0] + little(54, 4) + little(40, 4) + little(size, 4) + little(size, 4)
        bytes += little(1, 2) + little(24, 2) + [UInt8](repeating: 0, count: 24)
        for y in 0..<size {
            let line = (0..<size).flatMap { x in [color.2, UInt8(truncatingIfNeeded: Int(color.1) ^ (x * y)), color.0] }
            bytes += line + [UInt8](repeating: 0, count: row - line.count)
        }
        return .image(url: "data:image/bmp;base64," + Data(bytes).base64EncodedString())
    }

    /// A WAV of `seconds` of a tone, 16 kHz.
    static func sound(_ frequency: Double, seconds: Double = 0.5) -> ChatPart {
        let samples = (0..<Int(seconds * 16_000)).flatMap { little(Int(sin(Double($0) / 16_000 * frequency * 2 * .pi) * 8000) & 0xFFFF, 2) }
        let head = Array("RIFF".utf8) + little(36 + samples.count, 4) + Array("WAVEfmt ".utf8) + little(16, 4) + little(1, 2) + little(1, 2)
        let bytes =
            head + little(16_000, 4) + little(32_000, 4) + little(2, 2) + little(16, 2) + Array("data".utf8) + little(samples.count, 4)
            + samples
        return .audio(data: Data(bytes).base64EncodedString(), format: "wav")
    }

    static func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }

    @Test("what the model says depends on the picture, and the same picture gives the same answer")
    func pictures() async throws {
        let engine = try await engine()
        #expect(engine.card.inputParts.contains("image_url") && engine.card.inputParts.contains("input_audio"))
        let red = try await engine.answers(look([Self.picture((255, 0, 0)), .text("What is it?")]))
        let blue = try await engine.answers(look([Self.picture((0, 0, 255)), .text("What is it?")]))
        #expect(red.first.logprobs.map(\.logprob) != blue.first.logprobs.map(\.logprob))
        #expect(red.usage.promptTokens > 20)
        let again = try await engine.answers(look([Self.picture((255, 0, 0)), .text("What is it?")]))
        #expect(again.first.text == red.first.text)
        #expect(again.usage.cachedTokens > 8, "the picture is known by its content")
        #expect(blue.usage.cachedTokens < 20, "another picture is not")
        await engine.shutdown()
    }

    /// An encoder that cannot encode.
    private final class FailingEncoder: MediaEncoder, @unchecked Sendable {
        override func compute(
            _ span: MediaSpan, into context: LlamaContext, sequence: Int, position: Int32, batch: Int, rows: Rows? = nil,
            for owner: [CancellationToken]
        ) -> Outcome { .failed }
    }

    /// An encoder that finds no room in the cache at first.
    private final class CrowdedEncoder: MediaEncoder, @unchecked Sendable {
        private var isFull = true

        override func compute(
            _ span: MediaSpan, into context: LlamaContext, sequence: Int, position: Int32, batch: Int, rows: Rows? = nil,
            for owner: [CancellationToken]
        ) -> Outcome {
            defer { isFull = false }
            guard !isFull else { return .full }
            return super.compute(span, into: context, sequence: sequence, position: position, batch: batch, rows: rows, for: owner)
        }
    }

    @Test("a cache that is full when a picture comes gives up a finished answer's part, and the picture is read")
    func fullCache() async throws {
        LlamaLog.start(logger: Logger(label: "test"))
        var options = TextEngineOptions()
        options.threads = 1
        options.mmproj = Self.folder.appending(path: "tiny-mmproj.gguf").path
        let crowded = try TextEngine(
            model: LlamaModel(path: Self.folder.appending(path: "tiny.gguf").path) { _ in }, options: options, lane: FreeLane(),
            logger: Logger(label: "test"), encoder: CrowdedEncoder.self)
        let seen = look([Self.picture((255, 0, 0)), .text("What is it?")])
        let plain = try await engine()
        let wanted = try await plain.answers(seen).first
        await plain.shutdown()
        let two = question("xyz", maxTokens: 4) {
            ($0.sampling.ignoreEOS, $0.n) = (true, 2)
        }
        _ = try await crowded.answers(two)
        #expect(try await crowded.answers(seen).first.text == wanted.text)
        #expect(crowded.statistics.preemptions == 0)
        await crowded.shutdown()
    }

    @Test("a picture that cannot be encoded fails its own request, and costs others neither their places nor what is cached")
    func failedEncode() async throws {
        LlamaLog.start(logger: Logger(label: "test"))
        let path = Self.folder.appending(path: "tiny.gguf").path
        var options = TextEngineOptions()
        options.threads = 1
        options.mmproj = Self.folder.appending(path: "tiny-mmproj.gguf").path
        let engine = try TextEngine(
            model: LlamaModel(path: path) { _ in }, options: options, lane: FreeLane(), logger: Logger(label: "test"),
            encoder: FailingEncoder.self)
        async let other = engine.answers(question("xyz", maxTokens: 60) { $0.sampling.ignoreEOS = true })
        let error = await #expect(throws: APIError.self) {
            _ = try await engine.answers(look([Self.picture((255, 0, 0)), .text("What is it?")]))
        }
        #expect(error?.status == 500)
        #expect(try await other.usage.completionTokens == 60)
        #expect(engine.statistics.preemptions == 0)
        let again = try await engine.answers(question("xyz", maxTokens: 4) { $0.sampling.ignoreEOS = true })
        #expect(again.usage.cachedTokens == again.usage.promptTokens - 1)
        await engine.shutdown()
    }

    @Test("a sound is heard")
    func sounds() async throws {
        let engine = try await engine()
        let low = try await engine.answers(look([Self.sound(220), .text("What is it?")]))
        let high = try await engine.answers(look([Self.sound(1760), .text("What is it?")]))
        #expect(low.first.logprobs.map(\.logprob) != high.first.logprobs.map(\.logprob))
        await engine.shutdown()
    }

    @Test("pictures are read beside running text without changing it")
    func besideText() async throws {
        let engine = try await engine()
        var text = comparable("abc", maxTokens: 40)
        text.sampling.ignoreEOS = true
        let spoken = text
        let wanted = try await engine.answers(spoken).first
        async let one = engine.answers(spoken)
        async let seen = engine.answers(look([.text("x"), Self.picture((9, 99, 9)), .text("y"), Self.picture((99, 9, 9)), .text("z")]))
        #expect(try await one.first.agrees(with: wanted))
        #expect(try await seen.first.logprobs.count == 8)
        await engine.shutdown()
    }

    @Test("guesses after a picture stand where the model counts its positions")
    func guessed() async throws {
        var request = look([.text("x"), Self.picture((255, 0, 0)), .text("What is it?")], maxTokens: 80)
        request.topLogprobs = 5
        let seen = request
        let plain = try await engine { $0.speculation = SpeculativeConfig(method: SpeculativeConfig.Method.none) }
        let wanted = try await plain.answers(seen).first
        await plain.shutdown()
        let guessing = try await engine { $0.alwaysSpeculates = true }
        #expect(try await guessing.answers(seen).first.agrees(with: wanted))
        #expect(guessing.statistics.draftTokens > 0, "so small a model repeats itself")
        await guessing.shutdown()
    }

    @Test("a video is watched, and one that is too long is refused", .enabled(if: MediaTests.ffmpeg != nil))
    func videos() async throws {
        let path = NSTemporaryDirectory() + "omni-\(UUID()).mp4"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let ffmpeg = Process()
        ffmpeg.executableURL = URL(fileURLWithPath: try #require(Self.ffmpeg))
        ffmpeg.arguments = ["-v", "quiet", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=4:duration=2", "-pix_fmt", "yuv420p", path]
        try ffmpeg.run()
        ffmpeg.waitUntilExit()
        let video = ChatPart.videoURL("data:video/mp4;base64," + (try Data(contentsOf: URL(fileURLWithPath: path))).base64EncodedString())
        let engine = try await engine()
        let seen = try await engine.answers(look([video, .text("What happens?")]))
        #expect(seen.first.logprobs.count == 8)
        #expect(seen.usage.promptTokens > 40)
        await engine.shutdown()

        let strict = try await self.engine { $0.media.seconds = 1 }
        let error = await #expect(throws: APIError.self) { _ = try await strict.answers(look([video])) }
        #expect(error?.status == 413)
        await strict.shutdown()
    }

    private static let ffmpeg = ["/usr/bin/ffmpeg", "/usr/local/bin/ffmpeg", "/opt/homebrew/bin/ffmpeg"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test("a model without eyes names the part", .enabled(if: TestModel.isHere))
    func blind() async throws {
        let engine = try await TestModel.engine()
        let error = await #expect(throws: APIError.self) { _ = try await engine.answers(look([.text("x"), Self.picture((1, 2, 3))])) }
        #expect(error?.status == 400)
        #expect(error?.param == "body.messages.0.content.1")
        await engine.shutdown()
    }

    @Test("every limit is answered with 413, its flag and its value")
    func limits() async throws {
        let engine = try await engine {
            $0.media.bytes = 100_000
            $0.media.pixels = 100 * 100
            $0.media.seconds = 1
            $0.media.parts = 2
        }
        let small = Self.picture((1, 1, 1), size: 16)
        for (parts, flag) in [
            ([Self.picture((1, 2, 3), size: 200)], "--limit-mm-bytes"), ([Self.picture((1, 2, 3), size: 120)], "--limit-mm-pixels"),
            ([Self.sound(100, seconds: 2)], "--limit-mm-seconds"), ([small, small, small], "--limit-mm-per-prompt"),
        ] {
            let error = await #expect(throws: APIError.self) { _ = try await engine.answers(look(parts)) }
            #expect(error?.status == 413)
            #expect(error?.fullMessage.contains(flag) == true, "\(error?.fullMessage ?? "")")
        }
        await engine.shutdown()
    }

    @Test("what a file says of its length is not believed: decoding ends at the limit")
    func lyingHeader() async throws {
        let engine = try await engine()
        // 9600 samples at 1 Hz, and a header that says 4 GB a second.
        let data = [UInt8](repeating: 1, count: 19_200)
        let head = Array("RIFF".utf8) + Self.little(36 + data.count, 4) + Array("WAVEfmt ".utf8) + Self.little(16, 4) + Self.little(1, 2)
        let rates = Self.little(1, 2) + Self.little(1, 4) + Self.little(4_000_000_000, 4) + Self.little(2, 2) + Self.little(16, 2)
        let file = head + rates + Array("data".utf8) + Self.little(data.count, 4) + data
        let error = await #expect(throws: APIError.self) {
            _ = try await engine.answers(look([.audio(data: Data(file).base64EncodedString(), format: "wav")]))
        }
        #expect(error?.status == 413 || error?.status == 400, "\(error?.fullMessage ?? "")")
        #expect(error?.param == "body.messages.0.content.0")
        await engine.shutdown()
    }

    @Test("transparent parts of a picture are seen on white")
    func transparent() async throws {
        let engine = try await engine()
        func seen(_ pixel: (Int, Int) -> [UInt8]) async throws -> Answers {
            let pixels = (0..<64).flatMap { y in (0..<64).flatMap { x in pixel(x, y) } }
            let picture = try #require(Picture(width: 64, height: 64, channels: pixels.count / 4096, pixels: pixels))
            let file = try ImageCodec.encode(picture, as: .png)
            return try await engine.answers(look([.image(url: "data:image/png;base64," + Data(file).base64EncodedString())]))
        }
        let drawn = { (x: Int, y: Int) in (x / 8 + y / 8) % 3 == 0 }
        let clear = try await seen { drawn($0, $1) ? [0, 0, 0, 255] : [0, 0, 0, 0] }
        let white = try await seen { drawn($0, $1) ? [0, 0, 0] : [255, 255, 255] }
        let black = try await seen { _, _ in [0, 0, 0] }
        #expect(clear.first.agrees(with: white.first))
        #expect(!black.first.agrees(with: white.first), "the model tells both apart")
        await engine.shutdown()
    }

    @Test(
        "what is no picture, and what would have to be fetched without a fetcher, is the client's fault",
        arguments: [
            ChatPart.image(url: "data:image/png;base64,aGVsbG8gd29ybGQ="), .image(url: "https://example.com/x.png"),
            .image(url: "file:///etc/passwd"),
            .image(url: "data:image/png,xx"), .audio(data: "aGVsbG8gd29ybGQ=", format: "wav"),
        ])
    func refuses(part: ChatPart) async throws {
        let engine = try await engine()
        let error = await #expect(throws: APIError.self) { _ = try await engine.answers(look([part])) }
        #expect(error?.status == 400)
        #expect(error?.param == "body.messages.0.content.0")
        await engine.shutdown()
    }

    @Test("who leaves while a picture is read frees the engine")
    func leave() async throws {
        let engine = try await engine()
        let scope = RequestScope(id: "leaver")
        let generation = try await engine.chat(look([Self.picture((5, 5, 5), size: 1000), .text("x")], maxTokens: 400), scope: scope)
        scope.cancellation.cancel()
        await #expect(throws: CancellationError.self) { for try await _ in generation.events {} }
        #expect(try await engine.answers(question("abc", maxTokens: 3)).usage.completionTokens > 0)
        await engine.shutdown()
    }
}
