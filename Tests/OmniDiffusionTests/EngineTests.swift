import Foundation
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniDiffusion

/// The engine as a worker uses it.
@Suite struct EngineTests {
    static func request(_ prompt: String = Fixtures.prompt, seed: UInt64 = 1, steps: Int = 3) -> ImageRequest {
        var request = ImageRequest(prompt: prompt, seed: seed)
        (request.width, request.height, request.steps, request.guidanceScale) = (32, 24, steps, 0)
        return request
    }

    static func engine(
        lane: any ComputeLane = FreeLane(), _ change: (inout DiffusionOptions) -> Void = { _ in }
    ) async throws -> DiffusionEngine {
        var options = DiffusionOptions()
        (options.threads, options.useGPU) = (2, false)
        change(&options)
        return try await DiffusionEngine.load(.folder("\(Fixtures.root)/small"), options: options, lane: lane)
    }

    static func images(_ engine: DiffusionEngine, _ request: ImageRequest, scope: RequestScope = RequestScope(id: "test")) async throws
        -> [FloatImage]
    {
        var images: [FloatImage] = []
        for try await event in try await engine.generate(request, scope: scope) {
            if case .image(_, let image) = event { images.append(image) }
        }
        return images
    }

    @Test func eventsComeInOrder() async throws {
        let engine = try await Self.engine()
        var request = Self.request(steps: 4)
        (request.previews, request.count) = (2, 2)
        var seen: [String] = []
        for try await event in try await engine.generate(request, scope: RequestScope(id: "test")) {
            switch event {
            case .progress(let stage, let step, let steps): seen.append("\(stage.rawValue) \(step)/\(steps)")
            case .preview(let index, let number, let image): seen.append("preview \(index).\(number) \(image.width)x\(image.height)")
            case .image(let index, let image): seen.append("image \(index) \(image.width)x\(image.height)")
            }
        }
        #expect(
            seen == [
                "encode_prompt 1/1", "denoise 1/4", "preview 0.0 32x24", "preview 1.0 32x24", "denoise 2/4", "preview 0.1 32x24",
                "preview 1.1 32x24",
                "denoise 3/4", "denoise 4/4", "decode 1/2", "image 0 32x24", "decode 2/2", "image 1 32x24",
            ])
        await engine.shutdown()
        await #expect(throws: ImageModelError.stopped) { try await engine.generate(request, scope: RequestScope(id: "test")) }
    }

    @Test("a model that is shut down ends who runs and who waits", .timeLimit(.minutes(10))) func shutdownEndsAll() async throws {
        let lane = GateLane()
        let engine = try await Self.engine(lane: lane)
        lane.close(after: 200)
        let running = try await engine.generate(Self.request(steps: 1000), scope: RequestScope(id: "running"))
        let waiting = try await engine.generate(Self.request(steps: 1000), scope: RequestScope(id: "waiting"))
        await lane.openOnceStopped(engine)
        for events in [running, waiting] {
            await #expect(throws: CancellationError.self) { for try await _ in events {} }
        }
    }

    @Test func promptsSeedsAndStrengthsGiveDifferentPictures() async throws {
        let engine = try await Self.engine()
        let picture = try await Self.images(engine, Self.request())[0]
        #expect(try await Self.images(engine, Self.request())[0] == picture)
        var pictures = [
            picture, try await Self.images(engine, Self.request("a blue house"))[0],
            try await Self.images(engine, Self.request(seed: 2))[0],
        ]
        for strength: Float in [0.4, 0.9] {
            var edit = Self.request(steps: 5)
            (edit.input, edit.strength) = (picture, strength)
            pictures.append(try await Self.images(engine, edit)[0])
        }
        for (index, picture) in pictures.enumerated() {
            #expect(pictures[..<index].allSatisfy { relativeError($0.values, picture.values) > 1e-2 })
        }
        // Little strength stays nearer to the input.
        #expect(relativeError(pictures[3].values, picture.values) < relativeError(pictures[4].values, picture.values))
    }

    @Test func requestsThatCannotBeDoneAreRefusedFirst() async throws {
        let engine = try await Self.engine()
        func refusal(_ change: (inout ImageRequest) -> Void) async -> String {
            var request = Self.request()
            change(&request)
            do {
                _ = try await engine.generate(request, scope: RequestScope(id: "test"))
                return "accepted"
            } catch ImageModelError.invalid(let parameter, _) { return parameter } catch { return "\(error)" }
        }
        let picture = try #require(FloatImage(width: 32, height: 24, values: [Float](repeating: 0.5, count: 32 * 24 * 3)))
        let mask = try #require(FloatImage(width: 32, height: 24, channels: 1, values: [Float](repeating: 1, count: 32 * 24)))
        #expect(await refusal { $0.width = 33 } == "size")
        #expect(await refusal { $0.width = 4096 } == "size")
        #expect(await refusal { $0.height = 0 } == "size")
        #expect(await refusal { $0.steps = 0 } == "num_inference_steps")
        #expect(await refusal { $0.count = 0 } == "n")
        #expect(await refusal { $0.guidanceScale = .nan } == "guidance_scale")
        #expect(await refusal { $0.mask = mask } == "mask")
        #expect(await refusal { ($0.input, $0.strength) = (picture, 1.5) } == "strength")
        #expect(await refusal { ($0.input, $0.strength) = (picture, 0) } == "strength")
        #expect(await refusal { ($0.input, $0.width) = (picture, 64) } == "image")
        #expect(await refusal { ($0.input, $0.mask) = (picture, picture) } == "mask")
        #expect(await refusal { ($0.input, $0.mask) = (picture, mask) } == "accepted")
    }

    @Test func cancellingStopsAtAnyStepAndSparesOthers() async throws {
        // Every step takes the lane: closed after 200 turns, it keeps the engine from being done before the first event is looked at.
        let lane = GateLane()
        let engine = try await Self.engine(lane: lane)
        let reference = try await Self.images(engine, Self.request())
        for after in 0..<6 {
            let scope = RequestScope(id: "cancelled")
            lane.close(after: 200)
            var events = 0
            let cancelled = try await engine.generate(Self.request(steps: 500), scope: scope)
            let other = Task { try await Self.images(engine, Self.request()) }
            await #expect(throws: CancellationError.self) {
                for try await _ in cancelled {
                    if events == after {
                        scope.cancellation.cancel()
                        lane.open()
                    }
                    events += 1
                }
            }
            #expect(events < 400)
            #expect(try await other.value == reference)
        }
    }

    @Test func leavingTheEventsCancels() async throws {
        let lane = GateLane()
        let engine = try await Self.engine(lane: lane)
        let scope = RequestScope(id: "left")
        lane.close(after: 200)
        for try await _ in try await engine.generate(Self.request(steps: 900), scope: scope) { break }
        lane.open()
        // The next request gets its turn long before 900 steps.
        _ = try await Self.images(engine, Self.request(steps: 1))
        #expect(scope.cancellation.isCancelled)
        #expect(engine.stalledFor == nil)
    }

    @Test func whatDoesNotFitIsRefusedWithWhatWould() async throws {
        let engine = try await Self.engine { $0.memoryLimit = 11_000_000 }
        var large = Self.request()
        (large.width, large.height) = (256, 256)
        let price = try await engine.price(large)
        #expect(price.bytes > 11_000_000 && price.available == 11_000_000)
        let side = try #require(price.largestSide)
        do {
            _ = try await Self.images(engine, large)
            Issue.record("drew what does not fit")
        } catch ImageModelError.memory(let needed, let lacking, let largest) {
            #expect(needed == price.bytes && lacking == needed - 11_000_000 && largest == side)
        }
        (large.width, large.height) = (side, side)
        #expect(try await Self.images(engine, large).count == 1)
    }

    @Test func theLargestSquareIsTheLargestThatMemoryOrTheModelAllows() async throws {
        // 64 patches of 4 pixels a side.
        let roomy = try await Self.engine { $0.memoryLimit = 64 << 30 }
        #expect(try await roomy.price(Self.request()).largestSide == 256)
        #expect(largestSquare(multiple: 16, most: 1 << 16, within: 2_400_000_000) { $0 * $0 * 24 } == 10_000)
        #expect(largestSquare(multiple: 16, most: 1 << 16, within: 2_400_000_000) { 800_000_000 + $0 * $0 * 400 } == 2000)
        // Tiles from half of what there is on; faster growth; none at all.
        let tiled = { (side: Int) in side > 2000 ? 2_000_000_000 + side * side * 200 : side * side * 2000 }
        #expect(largestSquare(multiple: 16, most: 1 << 14, within: 16_000_000_000, memory: tiled) == 8352)
        #expect(largestSquare(multiple: 16, most: 1 << 16, within: 16_000_000_000) { 100_000_000 + $0 * $0 * $0 / 50 } == 9248)
        #expect(largestSquare(multiple: 16, most: 1 << 12, within: 1 << 50) { _ in 1 } == 4096)
        #expect(largestSquare(multiple: 16, most: 4096, within: 2_400_000_000) { $0 * $0 * 24 } == 4096)
        #expect(largestSquare(multiple: 16, most: 1 << 16, within: 2_400_000_000) { $0 > 512 ? nil : 1 } == 512)
        #expect(largestSquare(multiple: 16, most: 1 << 16, within: 1000) { _ in 1001 } == nil)
    }

    /// Halving tries twelve.
    @Test func fewSquaresArePlannedToFindTheLargest() {
        var tried: [Int] = []
        _ = largestSquare(multiple: 16, most: 1 << 16, within: 16_000_000_000) { side in
            tried.append(side)
            return 1_000_000_000 + side * side * 300
        }
        #expect(tried.count <= 6 && Set(tried).count == tried.count, "\(tried)")
    }

    @Test(arguments: ["adapter", "adapter-flat"]) func adaptersChangeThePictureAsInTheReference(file: String) async throws {
        let engine = try await Self.engine()
        var request = PictureParityTests.request(50, steps: 4)
        (request.width, request.height) = (40, 24)
        let plain = try await Self.images(engine, request)[0]
        request.adapters = [ImageAdapter(path: "\(Fixtures.root)/\(file).safetensors", scale: 0.8)]
        let adapted = try await Self.images(engine, request)[0]
        let reference = try Goldens("small.goldens")["adapter.image"]
        #expect(peakSignalToNoise(adapted.values, reference) >= 45)
        #expect(peakSignalToNoise(plain.values, reference) < 30)
        // Nothing stays behind.
        request.adapters = []
        #expect(try await Self.images(engine, request)[0] == plain)
        request.adapters = [ImageAdapter(path: "\(Fixtures.root)/randn.safetensors")]
        await #expect(throws: ImageModelError.self) { try await Self.images(engine, request) }
    }

    @Test func theStepCacheSavesPredictions() throws {
        let schedule = try FlowMatchEuler(.init()).schedule(steps: 10, tokens: 64)
        func predictions(_ threshold: Float) throws -> Int {
            var count = 0
            let loop = DenoisingLoop(schedule: schedule, start: 0, cacheThreshold: threshold) { _ in Guidance(scale: 0) }
            _ = try loop.run([[Float](repeating: 1, count: 16)], cancellation: CancellationToken()) { asks, _ in
                count += asks.count
                return asks.map { $0.latents.map { _ in 0.5 } }
            } blend: { latents, _, _ in
                latents
            } watch: { _ in
            }
            return count
        }
        #expect(try predictions(0) == 10)
        let cached = try predictions(0.15)
        #expect(cached < 8 && cached >= 2)
    }

    @Test func tilesDecodeLargePictures() async throws {
        let engine = try await Self.engine { $0.tiling = .always }
        var request = Self.request()
        (request.width, request.height) = (80, 48)
        #expect(try await Self.images(engine, request)[0].width == 80)
    }
}
