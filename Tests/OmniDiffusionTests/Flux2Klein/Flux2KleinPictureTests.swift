import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// The pipelines from prompt and pictures to a picture, at the reference's seeds.
@Suite struct Flux2KleinPictureTests {
    struct Case: CustomStringConvertible, Sendable {
        let name: String
        let seed: UInt64
        let steps: Int
        var change: @Sendable (inout ImageRequest, Flux2KleinFixtures) throws -> Void = { _, _ in }
        var description: String { name }
    }

    static let cases = [
        // The distilled checkpoint does without guidance, whatever is asked for.
        Case(name: "text", seed: 42, steps: 4) { request, fixtures in
            fixtures.size(&request)
            request.guidanceScale = 4
        },
        Case(name: "text.plain", seed: 43, steps: 3) { request, fixtures in
            fixtures.size(&request)
            request.guidanceScale = 1
        },
        Case(name: "text.two", seed: 44, steps: 2) { request, fixtures in
            fixtures.size(&request)
            (request.count, request.guidanceScale) = (2, 2.5)
        },
        Case(name: "edit.one", seed: 45, steps: 4) { request, fixtures in
            fixtures.size(&request)
            (request.references, request.guidanceScale) = ([try fixtures.reference(0)], 3)
        },
        Case(name: "edit.three", seed: 46, steps: 3) { request, fixtures in
            fixtures.size(&request)
            (request.references, request.guidanceScale) = (try (0..<3).map { try fixtures.reference($0) }, 4)
        },
        // The first reference says the size.
        Case(name: "edit.own", seed: 47, steps: 2) { request, fixtures in
            (request.references, request.guidanceScale, request.count) = (try (0..<2).map { try fixtures.reference($0) }, 1, 2)
        },
        Case(name: "inpaint", seed: 48, steps: 4) { request, fixtures in
            (request.input, request.mask, request.strength) = (try fixtures.goldens.image("source"), try fixtures.goldens.image("mask"), 1)
            request.guidanceScale = 4
        },
        Case(name: "inpaint.partial", seed: 49, steps: 5) { request, fixtures in
            (request.input, request.mask, request.strength) = (
                try fixtures.goldens.image("source"), try fixtures.goldens.image("mask"), 0.7
            )
            request.guidanceScale = 1
        },
        Case(name: "inpaint.reference", seed: 50, steps: 3) { request, fixtures in
            (request.input, request.mask, request.strength) = (try fixtures.goldens.image("source"), try fixtures.goldens.image("mask"), 1)
            (request.references, request.guidanceScale) = ([try fixtures.reference(1)], 4)
        },
        Case(name: "image", seed: 51, steps: 5) { request, fixtures in
            (request.input, request.strength, request.guidanceScale) = (try fixtures.goldens.image("source"), 0.6, 4)
        },
    ]

    @Test(arguments: ["small", "other"], cases) func picturesEqualTheReference(name: String, test: Case) throws {
        let fixtures = try Flux2KleinFixtures(name)
        let request = try Flux2KleinFixtures.request(test.seed, steps: test.steps) { try test.change(&$0, fixtures) }
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

    /// A picture that is looked at alone is one to start from of which nothing is kept.
    @Test func anInputThatIsLeftWholeIsAReference() throws {
        let fixtures = try Flux2KleinFixtures("small")
        func steps(_ change: (inout ImageRequest) throws -> Void) throws -> [[Float]] {
            let request = try Flux2KleinFixtures.request(7, steps: 2, change)
            return try Recording(
                fixtures.family, fixtures.family.plan(request, PlanningContext(backend: fixtures.backend)), fixtures.backend
            ).steps
        }
        let picture = try fixtures.reference(1)
        #expect(try steps { $0.references = [picture] } == steps { $0.input = picture })
        #expect(try steps { $0.references = [picture] } != steps { ($0.width, $0.height) = (picture.width, picture.height) })
    }

    /// Two pictures with guidance are four predictions a step: however many are computed together, the numbers are the same, with a
    /// reference too. Fifteen patches, two, and one, which is drawn alone.
    @Test(arguments: [(5, 3), (2, 1), (1, 1)], [false, true]) func picturesTogetherAreThoseAlone(patches: (Int, Int), edits: Bool) throws {
        let fixtures = try Flux2KleinFixtures("other")
        let side = fixtures.family.defaults.multiple
        let request = try Flux2KleinFixtures.request(7, steps: 2) {
            ($0.count, $0.guidanceScale, $0.width, $0.height) = (2, 3, patches.0 * side, patches.1 * side)
            if edits { $0.references = [try fixtures.reference(0)] }
        }
        let plan = try fixtures.family.plan(request, PlanningContext(backend: fixtures.backend))
        #expect(patches.0 > 1 || plan.batch == 1)
        func latents(_ batch: Int) throws -> [Float] {
            var plan = plan
            plan.batch = batch
            return try #require(Recording(fixtures.family, plan, fixtures.backend).steps.last)
        }
        let alone = try latents(1)
        for batch in patches.0 > 1 ? [2, 3, 4] : [] {
            let together = try latents(batch) == alone
            #expect(together, "\(batch) together")
        }
    }

    @Test func memoryGrowsWithReferencesAndABatchShrinksWhereItIsShort() throws {
        let fixtures = try Flux2KleinFixtures("other")
        func plan(_ references: Int, _ available: Int? = nil, count: Int = 1) throws -> DenoisingPlan {
            let request = try Flux2KleinFixtures.request(7, steps: 1) {
                fixtures.size(&$0)
                ($0.references, $0.count) = (try (0..<references).map { try fixtures.reference($0) }, count)
            }
            let context = PlanningContext(backend: fixtures.backend, tiling: .always, available: available)
            return try fixtures.family.plan(request, context)
        }
        let sizes = try (0...3).map { try plan($0).memory }
        #expect(sizes == sizes.sorted() && sizes[3] > sizes[0])
        // Five hundred and twelve tokens of text leave little to compute together.
        #expect(try plan(0, count: 4).batch == 1 && plan(0, 0, count: 4).batch == 1)
        #expect(try plan(0).tilesDecode)
    }

    private static func text(_ family: Flux2KleinFamily, _ backend: Backend) throws -> (steps: [[Float]], image: [Float]) {
        let side = family.vae.scale
        let request = Flux2KleinFixtures.request(42, steps: 4) { ($0.width, $0.height, $0.guidanceScale) = (5 * side, 3 * side, 4) }
        let recording = try Recording(family, family.plan(request, PlanningContext(backend: backend)), backend)
        return (recording.steps, recording.frames[0].values)
    }

    @Test(arguments: ["small", "other"]) func bf16WeightsStayNearTheReference(name: String) throws {
        let copy = try CheckpointCopy(name, in: Flux2KleinFixtures.root)
        try copy.roundToBF16()
        let (family, backend) = try Flux2KleinFixtures.family(copy.folder)
        let goldens = try Goldens("\(name).goldens", in: Flux2KleinFixtures.root)
        let (steps, image) = try Self.text(family, backend)
        let reference = try goldens["text.steps"]
        let size = reference.count / steps.count
        for (index, latents) in steps.enumerated() {
            let error = relativeError(latents, Array(reference[index * size..<(index + 1) * size]))
            #expect(error < 6e-2, "step \(index + 1): \(error)")
        }
        let distance = peakSignalToNoise(image, try goldens["text.image"])
        #expect(distance >= 30, "PSNR \(distance)")
    }

    private static func distance(_ options: DiffusionOptions) throws -> Double {
        let (family, backend) = try Flux2KleinFixtures.family("\(Flux2KleinFixtures.root)/small", options: options)
        return peakSignalToNoise(
            try text(family, backend).image, try Goldens("small.goldens", in: Flux2KleinFixtures.root)["text.image"])
    }

    @Test func fastRoundingStaysNear() throws {
        var options = DiffusionOptions()
        options.rounding = .fast
        let distance = try Self.distance(options)
        #expect(distance >= 30, "PSNR \(distance)")
    }

    @Test(arguments: [(ElementType.q8_0, 40.0), (ElementType.q4_k, 35.0)]) func quantizedWeightsStayNear(type: ElementType, bound: Double)
        throws
    {
        var options = DiffusionOptions()
        options.quantization = ["transformer": type, "text_encoder": type]
        let distance = try Self.distance(options)
        #expect(distance >= bound && distance < 100, "PSNR \(distance)")
    }
}
