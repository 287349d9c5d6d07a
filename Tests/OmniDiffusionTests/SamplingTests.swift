import OmniTensor
import Testing

@testable import OmniDiffusion

@Suite struct SamplingTests {
    @Test func noiseEqualsTorch() throws {
        let goldens = try Goldens("randn")
        for seed: UInt64 in [0, 42, 1 << 32 + 5, 1 << 53 - 1] {
            var generator = TorchGenerator(seed: seed)
            for (place, count) in [5, 16, 37, 3, 128, 17].enumerated() {
                let values = generator.normal(count)
                #expect(relativeError(values, try goldens["\(seed).\(place).\(count)"]) < 1e-6, "seed \(seed), \(count) numbers")
            }
        }
    }

    @Test(arguments: ["small", "other"]) func noiseLevelsEqualTheScheduler(name: String) throws {
        let goldens = try Goldens("\(name).goldens")
        let (family, _) = try Fixtures.family(name)
        for (steps, tokens) in [(1, 64), (4, 60), (9, 1024), (50, 4096)] {
            let schedule = try family.scheduler.schedule(steps: steps, .even(tokens: tokens))
            #expect(relativeError(schedule.sigmas, try goldens["sigmas.\(steps).\(tokens)"]) < 1e-6)
            #expect(relativeError((0..<steps).map(schedule.timestep), try goldens["timesteps.\(steps).\(tokens)"]) < 1e-6)
        }
    }

    @Test func strengthChoosesTheFirstStep() throws {
        let schedule = try FlowMatchEuler(.init()).schedule(steps: 5, tokens: 64)
        #expect([1, 0.85, 0.6, 0.4, 0.2].map { schedule.start(strength: $0) } == [0, 0, 2, 3, 4])
    }

    @Test func previewsAreSpreadAndNeverLast() {
        let timer = PreviewTimer(previews: 3, steps: 8)
        #expect((1...8).compactMap { done in timer.preview(after: done).map { [done, $0] } } == [[2, 0], [4, 1], [6, 2]])
        #expect((1...2).compactMap { PreviewTimer(previews: 3, steps: 2).preview(after: $0) } == [0])
        #expect(PreviewTimer(previews: 3, steps: 1).preview(after: 1) == nil)
    }

    @Test func guidanceBoundsItsNorm() {
        let guidance = Guidance(scale: 10, rescaling: .bounded(1))
        let combined = guidance.combine(positive: [3, 4], negative: [-3, -4])
        #expect(relativeError(combined, [3, 4]) < 1e-6)
        // Each token by itself: the first is twice as long as the prompt's own and turned round, the second has no length to change.
        let perToken = Guidance(scale: 1, rescaling: .perToken(size: 2)).combine(positive: [0, 1, 2, 2], negative: [0, 4, 4, 4])
        #expect(perToken == [0, -1, 0, 0])
        #expect(!Guidance(scale: 2, truncation: 0.5).applies(at: 0.6))
        #expect(Guidance(scale: 2).applies(at: 1))
    }
}
