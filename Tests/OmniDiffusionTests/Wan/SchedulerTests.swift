import Foundation
import Testing

@testable import OmniDiffusion

/// Schedulers against diffusers: noise levels, times, and latents after every step for given velocities.
@Suite struct SchedulerTests {
    static func scheduler(_ name: String) throws -> any NoiseScheduler {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(WanFixtures.root)/schedulers/\(name).json"))
        return name.hasPrefix("unipc")
            ? try UniPC(JSONDecoder().decode(UniPC.Config.self, from: data))
            : try FlowMatchEuler(JSONDecoder().decode(FlowMatchEuler.Config.self, from: data))
    }

    @Test(arguments: ["unipc", "unipc.third", "unipc.uncorrected", "unipc.minimum", "euler", "euler.plain"], [1, 2, 7, 50])
    func everyStepEqualsTheReference(name: String, steps: Int) throws {
        let goldens = try Goldens("schedulers.goldens", in: WanFixtures.root)
        let schedule = try Self.scheduler(name).schedule(steps: steps, .own(shift: nil))
        #expect(relativeError(schedule.sigmas, try goldens["\(name).\(steps).sigmas"]) < 1e-6)
        #expect(relativeError((0..<steps).map(schedule.timestep), try goldens["\(name).\(steps).timesteps"]) < 1e-6)
        let (velocities, after) = (try goldens["\(name).\(steps).velocities"], try goldens["\(name).\(steps).after"])
        var latents = try goldens["\(name).\(steps).latents"]
        let size = latents.count
        var solver = schedule.solver()
        for index in 0..<steps {
            latents = solver.step(latents, velocity: Array(velocities[index * size..<(index + 1) * size]), index)
            let error = relativeError(latents, Array(after[index * size..<(index + 1) * size]))
            #expect(error < 1e-4, "step \(index + 1) of \(steps): \(error)")
        }
    }

    @Test func aShiftOfTheRequestTakesThePlaceOfTheCheckpoints() throws {
        let (own, other) = (try Self.scheduler("unipc"), try Self.scheduler("unipc.third"))
        #expect(try own.schedule(steps: 7, .own(shift: 5)).sigmas == other.schedule(steps: 7, .own(shift: nil)).sigmas)
        #expect(try own.schedule(steps: 7, .own(shift: 5)).sigmas != own.schedule(steps: 7, .own(shift: nil)).sigmas)
        let (euler, plain) = (try Self.scheduler("euler"), try Self.scheduler("euler.plain"))
        #expect(try plain.schedule(steps: 7, .own(shift: 3)).sigmas == euler.schedule(steps: 7, .own(shift: nil)).sigmas)
    }

    @Test func levelsThatASchedulerDoesNotHaveAreRefused() throws {
        #expect(throws: DiffusionError.self) { try Self.scheduler("unipc").schedule(steps: 1, .even(tokens: 1)) }
        let dynamic = try JSONDecoder().decode(FlowMatchEuler.Config.self, from: Data(#"{"use_dynamic_shifting": true}"#.utf8))
        #expect(throws: DiffusionError.self) { try FlowMatchEuler(dynamic).schedule(steps: 1, .own(shift: nil)) }
        #expect(try FlowMatchEuler(dynamic).schedule(steps: 3, .even(tokens: 64)).steps == 3)
    }

    @Test(arguments: [
        "\"use_karras_sigmas\": true", "\"use_flow_sigmas\": false", "\"solver_order\": 4", "\"prediction_type\": \"epsilon\"",
    ])
    func variantsThatAreNotBuiltAreRefused(field: String) throws {
        let fields = ["\"use_flow_sigmas\": true", "\"prediction_type\": \"flow_prediction\""].filter {
            $0.split(separator: ":")[0] != field.split(separator: ":")[0]
        }
        let config = try JSONDecoder().decode(UniPC.Config.self, from: Data("{\((fields + [field]).joined(separator: ", "))}".utf8))
        #expect(throws: DiffusionError.self) { try UniPC(config) }
    }
}
