import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// The three pipelines from prompt to picture, at the reference's seeds.
@Suite struct PictureParityTests {
    struct Case: CustomStringConvertible, Sendable {
        let name: String
        let request: @Sendable (Goldens, FloatImage, FloatImage) -> ImageRequest
        var description: String { name }
    }

    static func request(_ seed: UInt64, steps: Int, guidance: Float = 0, _ change: (inout ImageRequest) -> Void = { _ in }) -> ImageRequest
    {
        var request = ImageRequest(prompt: Fixtures.prompt, seed: seed)
        (request.steps, request.guidanceScale) = (steps, guidance)
        change(&request)
        return request
    }

    static let cases = [
        Case(name: "text") { _, _, _ in request(42, steps: 4) },
        Case(name: "text.cfg") { _, _, _ in request(43, steps: 4, guidance: 3.5) { $0.negativePrompt = Fixtures.negative } },
        Case(name: "text.cfgnorm") { _, _, _ in
            request(44, steps: 5, guidance: 6) { ($0.guidanceNormalization, $0.guidanceTruncation) = (1, 0.6) }
        },
        Case(name: "text.two") { _, _, _ in request(45, steps: 2) { $0.count = 2 } },
        Case(name: "image") { _, source, _ in request(46, steps: 5) { ($0.input, $0.strength) = (source, 0.6) } },
        Case(name: "image.cfg") { _, source, _ in request(47, steps: 4, guidance: 2) { ($0.input, $0.strength) = (source, 0.85) } },
        Case(name: "inpaint") { _, source, mask in request(48, steps: 4) { ($0.input, $0.mask, $0.strength) = (source, mask, 1) } },
        Case(name: "inpaint.partial") { _, source, mask in request(49, steps: 5) { ($0.input, $0.mask, $0.strength) = (source, mask, 0.7) }
        },
    ]

    /// Latents after each step and the pictures.
    static func run(_ family: any ImageFamily, _ backend: Backend, _ request: ImageRequest) throws -> (
        steps: [[Float]], images: [FloatImage]
    ) {
        let recording = try Recording(family, family.plan(request, PlanningContext(backend: backend)), backend)
        return (recording.steps, recording.frames)
    }

    @Test(arguments: ["small", "other"], cases) func picturesEqualTheReference(name: String, test: Case) throws {
        let (family, backend) = try Fixtures.family(name)
        let goldens = try Goldens("\(name).goldens")
        let (source, mask) = (try goldens.image("source"), try goldens.image("mask"))
        var request = test.request(goldens, source, mask)
        (request.width, request.height) = (source.width, source.height)
        let (steps, images) = try Self.run(family, backend, request)
        let reference = try goldens["\(test.name).steps"]
        let size = reference.count / max(steps.count, 1)
        #expect(steps.reduce(0) { $0 + $1.count } == reference.count)
        for (index, latents) in steps.enumerated() {
            #expect(relativeError(latents, Array(reference[index * size..<(index + 1) * size])) < 1e-3, "step \(index + 1)")
        }
        let values = images.flatMap(\.values)
        let distance = peakSignalToNoise(values, try goldens["\(test.name).image"])
        #expect(distance >= 45, "PSNR \(distance)")
    }

    /// Two pictures with guidance are four predictions a step: however many are computed together, the numbers are the same.
    @Test func picturesTogetherAreThoseAlone() throws {
        let (family, backend) = try Fixtures.family("small")
        var request = Self.request(7, steps: 3, guidance: 3) { ($0.count, $0.negativePrompt) = (2, Fixtures.negative) }
        // 5 by 3 patches: each picture is padded.
        (request.width, request.height) = (40, 24)
        func latents(_ batch: Int) throws -> [Float] {
            var plan = try family.plan(request, PlanningContext(backend: backend))
            plan.batch = batch
            return try #require(Recording(family, plan, backend).steps.last)
        }
        let alone = try latents(1)
        for batch in 2...4 {
            let together = try latents(batch)
            #expect(together == alone, "\(batch) together")
        }
    }

    @Test func aBatchIsPricedFirstAndShrinksWhereMemoryIsShort() throws {
        let (family, backend) = try Fixtures.family("small")
        let request = Self.request(7, steps: 1, guidance: 3) { $0.count = 4 }
        func price(_ available: Int?) throws -> (batch: Int, bytes: Int) {
            // Tiles keep the autoencoder from being what takes most.
            let plan = try family.plan(request, PlanningContext(backend: backend, tiling: .always, available: available))
            return (plan.batch, plan.memory)
        }
        let free = try price(nil)
        #expect(free.batch > 1)
        let short = try price(free.bytes - 1)
        #expect(short.batch < free.batch && short.bytes < free.bytes)
        let none = try price(0)
        #expect(none.batch == 1)
    }
}
