import Foundation
import OmniEngine
import Synchronization
import Testing

@testable import OmniDiffusion

/// The video engine as a worker uses it.
@Suite struct VideoEngineTests {
    static func engine(_ name: String = "t2v", _ change: (inout DiffusionOptions) -> Void = { _ in }) async throws -> VideoEngine {
        var options = DiffusionOptions()
        (options.threads, options.useGPU) = (2, false)
        change(&options)
        return try await VideoEngine.load(.folder("\(WanFixtures.root)/\(name)"), options: options)
    }

    static func request(_ prompt: String = WanFixtures.prompt, seed: UInt64 = 1, steps: Int = 2, frames: Int = 5) -> VideoRequest {
        var request = VideoRequest(prompt: prompt, seed: seed)
        (request.steps, request.frames, request.guidanceScale) = (steps, frames, 1)
        return request
    }

    /// Everything that the engine told.
    final class Diary: Sendable {
        private let entries = Mutex<[VideoEvent]>([])
        func note(_ event: VideoEvent) -> Int {
            entries.withLock { entries in
                entries.append(event)
                return entries.count
            }
        }
        var events: [VideoEvent] { entries.withLock { $0 } }
        var frames: [FloatImage] { events.compactMap { if case .frame(_, _, let frame) = $0 { frame } else { nil } } }
        var latents: VideoLatents? { events.lazy.compactMap { if case .latents(let latents) = $0 { latents } else { nil } }.first }
        var words: [String] {
            events.map { event in
                switch event {
                case .progress(let stage, let step, let steps): "\(stage.rawValue) \(step)/\(steps)"
                case .latents(let latents): "latents \(latents.shape)"
                case .frame(let index, let count, let frame): "frame \(index) of \(count) \(frame.width)x\(frame.height)"
                }
            }
        }
    }

    static func video(_ engine: VideoEngine, _ request: VideoRequest, scope: RequestScope = RequestScope(id: "test")) async throws -> Diary
    {
        let diary = Diary()
        try await engine.generate(request, scope: scope) { _ = diary.note($0) }
        return diary
    }

    @Test func defaultsAreTheCheckpoints() async throws {
        let engine = try await Self.engine()
        let defaults = VideoDefaults(
            width: 48, height: 32, frames: 9, fps: 8, steps: 4, guidanceScale: 4, multiple: 16, frameMultiple: 4, longestSide: 16384,
            mostFrames: 4093)
        #expect(engine.videoDefaults == defaults)
        #expect(engine.card.kind == .video)
        let (either, only) = (try await Self.engine("ti2v").videoDefaults, try await Self.engine("a14b").videoDefaults)
        #expect(either.startsFromPicture && !either.needsPicture && either.multiple == 32)
        #expect(only.startsFromPicture && only.needsPicture && only.multiple == 16)
    }

    @Test func eventsComeInOrder() async throws {
        let engine = try await Self.engine()
        var request = Self.request()
        request.guidanceScale = 3
        let diary = try await Self.video(engine, request)
        let decoded = (0..<5).flatMap { ["frame \($0) of 5 48x32", "decode \($0 + 1)/5"] }
        #expect(diary.words == ["encode_prompt 1/2", "encode_prompt 2/2", "denoise 1/2", "denoise 2/2", "latents [6, 2, 4, 6]"] + decoded)
        await engine.shutdown()
        await #expect(throws: ImageModelError.stopped) { _ = try await Self.video(engine, request) }
    }

    @Test func aPictureIsWhereTheVideoBegins() async throws {
        let engine = try await Self.engine("ti2v")
        let picture = try Goldens("ti2v.goldens", in: WanFixtures.root).image("picture")
        var request = Self.request(steps: 1)
        let without = try await Self.video(engine, request)
        request.picture = picture
        let with = try await Self.video(engine, request)
        #expect(with.words.contains("encode_image 1/1") && !without.words.contains("encode_image 1/1"))
        // The first latent frame is the picture's own, whatever was denoised.
        request.seed = 2
        let again = try await Self.video(engine, request)
        let (first, second) = (try #require(with.latents), try #require(again.latents))
        let area = first.shape[2] * first.shape[3]
        #expect(first.values[..<area] == second.values[..<area] && first.values[area..<2 * area] != second.values[area..<2 * area])
        #expect(with.frames[0] == again.frames[0] && with.frames[0] != without.frames[0])
    }

    @Test func keptLatentsAreOnlyDecoded() async throws {
        let engine = try await Self.engine()
        var request = Self.request()
        let whole = try await Self.video(engine, request)
        request.latents = whole.latents
        let again = try await Self.video(engine, request)
        #expect(again.frames == whole.frames)
        #expect(again.words.allSatisfy { $0.hasPrefix("frame") || $0.hasPrefix("decode") })
    }

    @Test func promptsSeedsAndShiftsGiveDifferentVideos() async throws {
        let engine = try await Self.engine()
        let video = try await Self.video(engine, Self.request()).frames
        #expect(try await Self.video(engine, Self.request()).frames == video)
        var shifted = Self.request()
        shifted.flowShift = 9
        var guided = Self.request()
        guided.guidanceScale = 4
        for other in [Self.request("a blue house"), Self.request(seed: 2), Self.request(steps: 3), shifted, guided] {
            let frames = try await Self.video(engine, other).frames
            #expect(relativeError(frames.flatMap(\.values), video.flatMap(\.values)) > 1e-3)
        }
    }

    @Test func requestsThatCannotBeDoneAreRefusedFirst() async throws {
        let engines = ["t2v": try await Self.engine(), "ti2v": try await Self.engine("ti2v"), "a14b": try await Self.engine("a14b")]
        func refusal(_ name: String = "t2v", _ change: (inout VideoRequest) -> Void) async -> String {
            var request = Self.request()
            change(&request)
            guard let engine = engines[name] else { return "no engine" }
            do {
                _ = try await Self.video(engine, request)
                return "accepted"
            } catch ImageModelError.invalid(let parameter, _) { return parameter } catch { return "\(error)" }
        }
        let picture = try #require(FloatImage(width: 48, height: 32, values: [Float](repeating: 0.5, count: 48 * 32 * 3)))
        let latents = try #require(VideoLatents(shape: [6, 1, 4, 6], values: [Float](repeating: 0, count: 144)))
        #expect(await refusal { $0.width = 40 } == "size")
        #expect(await refusal { $0.height = 0 } == "size")
        #expect(await refusal { $0.width = 16 * 1100 } == "size")
        #expect(await refusal { $0.frames = 6 } == "num_frames")
        #expect(await refusal { $0.frames = 4401 } == "num_frames")
        #expect(await refusal { $0.steps = 0 } == "num_inference_steps")
        #expect(await refusal { $0.guidanceScale = .infinity } == "guidance_scale")
        #expect(await refusal { $0.guidanceScale2 = 3 } == "guidance_scale_2")
        #expect(await refusal { $0.boundaryRatio = 0.5 } == "boundary_ratio")
        #expect(await refusal("a14b") { ($0.boundaryRatio, $0.picture) = (1.5, picture) } == "boundary_ratio")
        #expect(await refusal { $0.flowShift = 0 } == "flow_shift")
        #expect(await refusal { $0.picture = picture } == "input_reference")
        #expect(await refusal("a14b") { _ in } == "input_reference")
        #expect(await refusal("ti2v") { ($0.picture, $0.width, $0.height) = (picture, 64, 64) } == "input_reference")
        #expect(await refusal { $0.latents = latents } == "latents")
        #expect(await refusal { ($0.latents, $0.frames) = (latents, 1) } == "accepted")
        #expect(await refusal("a14b") { $0.picture = picture } == "accepted")
    }

    @Test func cancellingStopsAtAnyEventAndSparesOthers() async throws {
        let engine = try await Self.engine()
        let reference = try await Self.video(engine, Self.request()).frames
        for after in 1...5 {
            let scope = RequestScope(id: "cancelled")
            let other = Task { try await Self.video(engine, Self.request()).frames }
            let diary = Diary()
            await #expect(throws: CancellationError.self) {
                try await engine.generate(Self.request(steps: 500), scope: scope) { event in
                    if diary.note(event) == after { scope.cancellation.cancel() }
                }
            }
            #expect(diary.events.count == after)
            #expect(try await other.value == reference)
        }
        #expect(engine.stalledFor == nil)
    }

    @Test func cancellingTheTaskCancelsToo() async throws {
        let engine = try await Self.engine()
        let (started, begin) = AsyncStream<Void>.makeStream()
        // The engine waits in its first event until the task is cancelled.
        let isCancelled = DispatchSemaphore(value: 0)
        let task = Task {
            try await engine.generate(Self.request(steps: 900), scope: RequestScope(id: "task")) { _ in
                begin.yield()
                isCancelled.wait()
                isCancelled.signal()
            }
        }
        for await _ in started { break }
        task.cancel()
        isCancelled.signal()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func whatTheReceiverThrowsEndsTheWork() async throws {
        struct Full: Error {}
        let engine = try await Self.engine()
        let diary = Diary()
        await #expect(throws: Full.self) {
            try await engine.generate(Self.request(), scope: RequestScope(id: "full")) { event in
                _ = diary.note(event)
                if case .frame(1, _, _) = event { throw Full() }
            }
        }
        #expect(diary.frames.count == 2)
        #expect(try await Self.video(engine, Self.request()).frames.count == 5)
    }

    @Test(arguments: ["adapter", "adapter-own"]) func adaptersChangeTheVideoAsInTheReference(file: String) async throws {
        let engine = try await Self.engine()
        var request = Self.request(seed: 50)
        let plain = try await Self.video(engine, request).frames
        request.adapters = [ImageAdapter(path: "\(WanFixtures.root)/\(file).safetensors", scale: 0.8)]
        let adapted = try await Self.video(engine, request).frames
        let reference = try Goldens("t2v.goldens", in: WanFixtures.root)["adapter.frames"]
        #expect(peakSignalToNoise(adapted.flatMap(\.values), reference) >= 45)
        #expect(peakSignalToNoise(plain.flatMap(\.values), reference) < 40)
        // Nothing stays behind.
        request.adapters = []
        #expect(try await Self.video(engine, request).frames == plain)
        request.adapters = [ImageAdapter(path: "\(WanFixtures.root)/schedulers.goldens.safetensors")]
        await #expect(throws: ImageModelError.self) { _ = try await Self.video(engine, request) }
    }

    @Test func anAdapterOfTheSecondExpertIsRefusedByThatReason() async throws {
        let whole = try Data(contentsOf: URL(filePath: "\(WanFixtures.root)/adapter.safetensors"))
        let length = whole.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = Data(String(decoding: whole[8..<8 + length], as: UTF8.self).replacing("\"transformer.", with: "\"transformer_2.").utf8)
        let size = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
        let path = FileManager.default.temporaryDirectory.appending(path: "second-\(UUID().uuidString).safetensors")
        try (size + header + whole[(8 + length)...]).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        var request = Self.request()
        request.adapters = [ImageAdapter(path: path.path)]
        let engine = try await Self.engine()
        await #expect { _ = try await Self.video(engine, request) } throws: { "\($0)".contains("second expert") }
    }

    @Test func tilesDecodeLargeFrames() async throws {
        let (whole, tiled) = (try await Self.engine(), try await Self.engine { $0.tiling = .always })
        var request = Self.request(steps: 1)
        (request.width, request.height) = (320, 272)
        let (reference, frames) = (try await Self.video(whole, request).frames, try await Self.video(tiled, request).frames)
        #expect(frames.count == 5 && frames[0].width == 320 && frames[0].height == 272)
        let distance = peakSignalToNoise(frames.flatMap(\.values), reference.flatMap(\.values))
        #expect(distance > 20 && distance < 100, "PSNR \(distance)")
    }

    @Test func theModelsLimitsAreThoseItTells() async throws {
        let engine = try await Self.engine()
        let (side, most) = (try #require(engine.videoDefaults.longestSide), try #require(engine.videoDefaults.mostFrames))
        for (width, frames, fits) in [
            (32, most, true), (32, most + 4, false), (side, 1, true), (side + engine.videoDefaults.multiple, 1, false),
        ] {
            var request = Self.request()
            (request.width, request.height, request.frames) = (width, engine.videoDefaults.multiple * 2, frames)
            let isTaken = (try? await engine.price(request)) != nil
            #expect(isTaken == fits, "\(width), \(frames)")
        }
    }

    @Test func theLargestSquareIsTheLargestThatMemoryOrTheModelAllows() async throws {
        for limit in [4 << 30, 1 << 50] {
            let engine = try await Self.engine { $0.memoryLimit = limit }
            var request = Self.request(frames: 1)
            let side = try #require(try await engine.price(request).largestSide)
            #expect(side > 2048)
            (request.width, request.height) = (side, side)
            #expect(try await engine.price(request).bytes <= limit)
            (request.width, request.height) = (side + 16, side + 16)
            let larger = try? await engine.price(request)
            #expect(larger.map { $0.bytes > limit } ?? true)
        }
    }

    /// Its pixels would take twelve bytes for each of the square's: gigabytes for the largest.
    @Test func theLargestSquareThatBeginsWithAPictureIsFoundWithoutOne() async throws {
        let picture = try Goldens("ti2v.goldens", in: WanFixtures.root).image("picture")
        let engine = try await Self.engine("ti2v") { $0.memoryLimit = 1 << 50 }
        var request = Self.request(frames: 1)
        request.picture = picture
        (request.width, request.height) = (picture.width, picture.height)
        let with = try #require(try await engine.price(request).largestSide)
        request.picture = nil
        let without = try #require(try await engine.price(request).largestSide)
        #expect(with == without && with > 2048)
    }

    @Test func whatDoesNotFitIsRefusedWithWhatWould() async throws {
        let engine = try await Self.engine { $0.memoryLimit = 14_000_000 }
        var large = Self.request()
        (large.width, large.height) = (320, 320)
        let price = try await engine.price(large)
        #expect(price.bytes > 14_000_000 && price.available == 14_000_000)
        let side = try #require(price.largestSide)
        await #expect(throws: ImageModelError.memory(needed: price.bytes, lacking: price.bytes - 14_000_000, largestSide: side)) {
            _ = try await Self.video(engine, large)
        }
        (large.width, large.height) = (side, side)
        #expect(try await Self.video(engine, large).frames.count == 5)
        // A longer video costs more to denoise, and hardly more to decode.
        large.frames = 41
        #expect(try await engine.price(large).bytes > engine.price(Self.request()).bytes)
    }

    @Test(arguments: [
        ("transformer", "blocks.1.ffn.net.2.weight"), ("text_encoder", "encoder.block.0.layer.0.SelfAttention.v.weight"),
        ("vae", "decoder.conv_in.bias"),
    ])
    func weightsThatAreNoNumbersAreNamed(component: String, tensor: String) async throws {
        let copy = try CheckpointCopy("t2v", in: WanFixtures.root)
        try copy.rewrite(component) { $0[tensor]?.bytes.replaceSubrange(0..<4, with: [0, 0, 0xc0, 0x7f]) }
        let engine = try await VideoEngine.load(.folder(copy.folder))
        do {
            _ = try await Self.video(engine, Self.request(steps: 1, frames: 1))
            Issue.record("generated with weights that are no numbers")
        } catch ImageModelError.notFinite(_, let cause) {
            #expect(cause.contains(tensor))
        }
    }

    @Test func checkpointsThatDoNotFitAreRefusedAndNamed() async throws {
        func complaint(_ spoil: (CheckpointCopy) throws -> Void) async throws -> String {
            let copy = try CheckpointCopy("a14b", in: WanFixtures.root)
            try spoil(copy)
            do {
                _ = try await VideoEngine.load(.folder(copy.folder))
                return "loaded"
            } catch { return "\(error)" }
        }
        func change(_ file: String, _ from: String, _ to: String) -> (CheckpointCopy) throws -> Void {
            { try $0.replace(from, with: to, in: file) }
        }
        #expect(
            try await complaint(change("transformer_2/config.json", "\"text_dim\": 48", "\"text_dim\": 44")).contains("do not fit together")
        )
        #expect(
            try await complaint(change("transformer/config.json", "\"image_dim\": null", "\"image_dim\": 8")).contains("sees pictures of 8")
        )
        #expect(
            try await complaint(change("transformer/config.json", "\"in_channels\": 16", "\"in_channels\": 17")).contains("17 channels"))
        #expect(
            try await complaint(change("scheduler/scheduler_config.json", "UniPCMultistepScheduler", "DDIMScheduler")).contains(
                "DDIMScheduler"))
        #expect(try await complaint { try $0.rewrite("transformer_2") { $0["proj_out.bias"] = nil } }.contains("proj_out.bias"))
        #expect(try await complaint(change("model_index.json", "WanImageToVideoPipeline", "OtherPipeline")).contains("OtherPipeline"))
    }
}
