import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// The three pipelines from prompt to picture, at the reference's seeds.
@Suite struct QwenImagePictureTests {
    struct Case: CustomStringConvertible, Sendable {
        let name: String
        let seed: UInt64
        let steps: Int
        var change: @Sendable (inout ImageRequest, FloatImage, FloatImage) -> Void = { _, _, _ in }
        var description: String { name }
    }

    static let cases = [
        // Without a negative prompt nothing is guided, whatever the scale.
        Case(name: "text", seed: 42, steps: 4) { request, _, _ in request.trueGuidanceScale = 4 },
        Case(name: "text.cfg", seed: 43, steps: 4) { request, _, _ in
            (request.negativePrompt, request.trueGuidanceScale, request.guidanceScale) = (QwenImageFixtures.negative, 3.5, 1)
        },
        Case(name: "text.default", seed: 44, steps: 3) { request, _, _ in request.negativePrompt = " " },
        Case(name: "text.one", seed: 45, steps: 2) { request, _, _ in
            (request.negativePrompt, request.trueGuidanceScale) = (QwenImageFixtures.negative, 1)
        },
        Case(name: "text.two", seed: 46, steps: 2) { request, _, _ in request.count = 2 },
        Case(name: "image", seed: 47, steps: 5) { request, source, _ in (request.input, request.strength) = (source, 0.6) },
        Case(name: "image.cfg", seed: 48, steps: 4) { request, source, _ in
            (request.input, request.strength, request.negativePrompt, request.guidanceScale) = (source, 0.85, QwenImageFixtures.negative, 2)
        },
        Case(name: "inpaint", seed: 49, steps: 4) { request, source, mask in
            (request.input, request.mask, request.strength) = (source, mask, 1)
        },
        Case(name: "inpaint.partial", seed: 50, steps: 5) { request, source, mask in
            (request.input, request.mask, request.strength) = (source, mask, 0.7)
        },
    ]

    @Test(arguments: ["small", "other"], cases) func picturesEqualTheReference(name: String, test: Case) throws {
        let fixtures = try QwenImageFixtures(name)
        let (source, mask) = (try fixtures.goldens.image("source"), try fixtures.goldens.image("mask"))
        var request = QwenImageFixtures.request(test.seed, steps: test.steps) { ($0.width, $0.height) = (source.width, source.height) }
        test.change(&request, source, mask)
        let recording = try Recording(
            fixtures.family, fixtures.family.plan(request, PlanningContext(backend: fixtures.backend)), fixtures.backend)
        let reference = try fixtures.goldens["\(test.name).steps"]
        let size = reference.count / max(recording.steps.count, 1)
        #expect(recording.steps.reduce(0) { $0 + $1.count } == reference.count)
        for (index, latents) in recording.steps.enumerated() {
            let error = relativeError(latents, Array(reference[index * size..<(index + 1) * size]))
            #expect(error < 1e-3, "step \(index + 1): \(error)")
        }
        let distance = peakSignalToNoise(recording.frames.flatMap(\.values), try fixtures.goldens["\(test.name).image"])
        #expect(distance >= 45, "PSNR \(distance)")
    }

    /// Two pictures with guidance are four predictions a step, with texts of two lengths: however many are computed together, the numbers
    /// are the same. Fifteen patches, two of them, and more than a feed-forward layer takes at once.
    @Test(arguments: [(40, 24), (16, 8), (152, 72)], [false, true])
    func picturesTogetherAreThoseAlone(size: (width: Int, height: Int), adapted: Bool) throws {
        let fixtures = try QwenImageFixtures("small")
        let request = QwenImageFixtures.request(7, steps: 3) {
            ($0.count, $0.negativePrompt, $0.width, $0.height) = (2, "x", size.width, size.height)
            if adapted { $0.adapters = [ImageAdapter(path: "\(QwenImageFixtures.root)/adapter.safetensors", scale: 0.8)] }
        }
        func latents(_ batch: Int, plain: Bool = false) throws -> [Float] {
            var plan = try fixtures.family.plan(request, PlanningContext(backend: fixtures.backend))
            plan.batch = batch
            if plain { plan.adapters = [] }
            return try #require(Recording(fixtures.family, plan, fixtures.backend).steps.last)
        }
        let alone = try latents(1)
        let changes = try !adapted || latents(1, plain: true) != alone
        #expect(changes)
        for batch in 2...4 {
            let together = try latents(batch) == alone
            #expect(together, "\(batch) together")
        }
    }

    /// A row alone is another product than several, and a picture of one patch is one row.
    @Test func picturesOfOnePatchAreDrawnOneByOne() throws {
        let fixtures = try QwenImageFixtures("small")
        func batch(_ width: Int) throws -> Int {
            let request = QwenImageFixtures.request(7, steps: 1) { ($0.count, $0.width, $0.height) = (4, width, 8) }
            return try fixtures.family.plan(request, PlanningContext(backend: fixtures.backend)).batch
        }
        #expect(try (batch(8), batch(16)) == (1, 4))
    }

    @Test func oneStepIsAPictureToo() throws {
        let fixtures = try QwenImageFixtures("small")
        let request = QwenImageFixtures.request(7, steps: 1) { ($0.width, $0.height) = (40, 24) }
        let plan = try fixtures.family.plan(request, PlanningContext(backend: fixtures.backend))
        let recording = try Recording(fixtures.family, plan, fixtures.backend)
        #expect(recording.frames.count == 1 && Set(recording.frames[0].values).count > 100)
    }

    @Test func aBatchIsEstimatedFirstAndShrinksWhereMemoryIsShort() throws {
        let fixtures = try QwenImageFixtures("small")
        let request = QwenImageFixtures.request(7, steps: 1) { ($0.count, $0.negativePrompt) = (4, " ") }
        func plan(_ available: Int?) throws -> DenoisingPlan {
            try fixtures.family.plan(request, PlanningContext(backend: fixtures.backend, tiling: .always, available: available))
        }
        let free = try plan(nil)
        #expect(free.tilesDecode)
        let none = try plan(0)
        #expect(none.batch == 1 && none.memory <= free.memory)
    }

    static func text(_ family: QwenImageFamily, _ backend: Backend) throws -> (steps: [[Float]], image: [Float]) {
        let request = QwenImageFixtures.request(42, steps: 4) { ($0.width, $0.height) = (40, 24) }
        let recording = try Recording(family, family.plan(request, PlanningContext(backend: backend)), backend)
        return (recording.steps, recording.frames[0].values)
    }

    @Test func bf16WeightsStayNearTheReference() throws {
        let copy = try CheckpointCopy("small", in: QwenImageFixtures.root)
        try copy.roundToBF16()
        let (family, backend) = try QwenImageFixtures.family(copy.folder)
        let goldens = try Goldens("small.goldens", in: QwenImageFixtures.root)
        let (steps, image) = try Self.text(family, backend)
        let reference = try goldens["text.steps"]
        let size = reference.count / steps.count
        for (index, latents) in steps.enumerated() {
            let error = relativeError(latents, Array(reference[index * size..<(index + 1) * size]))
            #expect(error < 3e-2, "step \(index + 1): \(error)")
        }
        let distance = peakSignalToNoise(image, try goldens["text.image"])
        #expect(distance >= 30, "PSNR \(distance)")
    }

    private static func text(_ options: DiffusionOptions) throws -> (image: [Float], kernels: KernelVariant, distance: Double) {
        let (family, backend) = try QwenImageFixtures.family("\(QwenImageFixtures.root)/small", options: options)
        let image = try text(family, backend).image
        return (image, backend.kernels, peakSignalToNoise(image, try Goldens("small.goldens", in: QwenImageFixtures.root)["text.image"]))
    }

    @Test func fastRoundingStaysNear() throws {
        let exact = try Self.text(DiffusionOptions())
        var options = DiffusionOptions()
        options.rounding = .fast
        let fast = try Self.text(options)
        #expect(fast.distance >= 30, "PSNR \(fast.distance)")
        // The activation's table of f16 is all that rounds where products of bf16 are not faster: 104 dB on AVX2.
        let changes = fast.image != exact.image
        #expect(changes && (fast.distance < 100 || !fast.kernels.rounds), "PSNR \(fast.distance), \(fast.kernels)")
    }

    @Test func quantizedWeightsStayNear() throws {
        var options = DiffusionOptions()
        options.quantization = ["transformer": .q8_0, "text_encoder": .q8_0]
        let distance = try Self.text(options).distance
        #expect(distance >= 25 && distance < 100, "PSNR \(distance)")
    }
}
