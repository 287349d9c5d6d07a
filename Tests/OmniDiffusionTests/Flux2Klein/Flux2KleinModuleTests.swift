import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// FLUX.2 klein's networks against the reference, f32 weights, nothing rounded.
@Suite struct Flux2KleinModuleTests {
    static let bound = 1e-3
    static let names = ["small", "other"]
    /// Of the goldens of modules: a picture of three rows of five, two references, eleven tokens of text.
    static let sequence = Flux2KleinSequence(
        picture: .init(columns: 5, rows: 3), references: [.init(columns: 4, rows: 2), .init(columns: 1, rows: 4)], texts: [11])

    @Test(arguments: names) func promptsStandInTheChatWithoutThoughts(name: String) throws {
        let (fixtures, described) = (try Flux2KleinFixtures(name), try Flux2KleinFixtures.described(name))
        for (text, ids) in zip(described.texts, described.ids) {
            #expect(fixtures.family.tokenize(text) == ids, "\(text.debugDescription)")
        }
        #expect(fixtures.family.tokenize(String(repeating: "fox ", count: 900)) == described.long && described.long.count == 512)
        #expect(fixtures.family.padding == described.padding)
    }

    @Test(arguments: names) func textStatesAreThreeLayersOfThePaddedPrompt(name: String) throws {
        let fixtures = try Flux2KleinFixtures(name)
        func states(_ prompt: String) throws -> [Float] {
            try fixtures.run.evaluate { try fixtures.family.states($0, tokens: fixtures.family.tokenize(prompt)) }
        }
        #expect(relativeError(try states(Flux2KleinFixtures.prompt), try fixtures.goldens["text.hidden"]) < Self.bound)
        let last = try fixtures.goldens["text.long.last"]
        let long = try states(String(repeating: "fox ", count: 900))
        #expect(relativeError(Array(long.suffix(last.count)), last) < Self.bound)
    }

    @Test(arguments: names) func rotaryAngles(name: String) throws {
        let fixtures = try Flux2KleinFixtures(name)
        let config = fixtures.family.transformer.config
        let divisors = Rotation.divisors(config.axes_dims_rope, theta: config.theta)
        let axisOf = config.axes_dims_rope.enumerated().flatMap { Array(repeating: $0, count: $1 / 2) }
        let positions = Self.sequence.positions
        // The text stands before the pictures.
        for (golden, tokens) in [("rope.text", 0..<11), ("rope.picture", 11..<38)] {
            let angles = tokens.flatMap { token in
                divisors.indices.map { Double(Float(positions[axisOf[$0]][token]) / divisors[$0]) }
            }
            #expect(relativeError(angles.map { Float(cos($0)) }, try fixtures.goldens["\(golden).cos"]) < 1e-5)
            #expect(relativeError(angles.map { Float(sin($0)) }, try fixtures.goldens["\(golden).sin"]) < 1e-5)
        }
    }

    @Test(arguments: names) func blocks(name: String) throws {
        let fixtures = try Flux2KleinFixtures(name)
        let (transformer, goldens) = (fixtures.family.transformer, fixtures.goldens)
        let output = try fixtures.run.executor.evaluate(ComputeScope()) { graph in
            func golden(_ name: String) throws -> Tensor {
                let values = try goldens[name]
                return try graph.input(goldens.shape(name), values)
            }
            let context = try transformer.context(
                graph, picture: golden("double.temb_mod_img"), text: golden("double.temb_mod_txt"), joint: golden("single.temb_mod"),
                Self.sequence)
            let streams = try transformer.doubleBlocks[0](
                graph, text: golden("double.encoder_hidden_states"), picture: golden("double.hidden_states"), context)
            return [streams.text, streams.picture, try transformer.singleBlocks[0](graph, golden("single.hidden_states"), context)]
        }
        for (values, golden) in zip(output, ["double.out.0", "double.out.1", "single.out.0"]) {
            #expect(relativeError(values, try goldens[golden]) < Self.bound, "\(golden)")
        }
    }

    @Test(arguments: names) func transformer(name: String) throws {
        let fixtures = try Flux2KleinFixtures(name)
        let (family, goldens, sequence) = (fixtures.family, fixtures.goldens, Self.sequence)
        let (latents, states) = (try goldens["transformer.latents"], try goldens["transformer.states"])
        let values = try fixtures.run.evaluate { graph in
            try family.transformer.text(graph, graph.input([family.transformer.config.joint_attention_dim, 11], states))
        }
        let condition = Condition(values: values, tokens: 11, shape: [family.transformer.config.dim, 11])
        let own = 15 * family.transformer.config.in_channels
        let request = PredictionRequest(
            latents: Array(latents.prefix(own)), references: Array(latents.dropFirst(own)), condition: condition)
        let velocity = try fixtures.run.evaluate { try family.velocity($0, [request], sequence.picture, sequence.references, time: 300) }
        #expect(relativeError(velocity, try goldens["transformer.out"]) < Self.bound)
        let bare = PredictionRequest(latents: request.latents, condition: condition)
        let alone = try fixtures.run.evaluate { try family.velocity($0, [bare], sequence.picture, [], time: 700) }
        #expect(relativeError(alone, try goldens["transformer.alone"]) < Self.bound)
    }

    @Test(arguments: names) func autoencoder(name: String) throws {
        let fixtures = try Flux2KleinFixtures(name)
        let (vae, goldens, executor, scope) = (fixtures.family.vae, fixtures.goldens, fixtures.run.executor, ComputeScope())
        func normalized(_ moments: Plane) -> [Float] { vae.normalization.normalized(moments.mean.values) }
        func whole(_ name: String) throws -> Plane {
            var latents = try goldens.plane(name)
            latents.values = vae.normalization.denormalized(latents.values)
            return latents
        }
        #expect(
            relativeError(normalized(try vae.encode(executor, scope, goldens.plane("vae.image"))), try goldens["vae.encoded"]) < Self.bound)
        #expect(relativeError(try vae.decode(executor, scope, whole("vae.latents")).values, try goldens["vae.decoded"]) < Self.bound)
        #expect(
            relativeError(
                normalized(try vae.encodeTiled(executor, scope, goldens.plane("vae.tiled.image"))), try goldens["vae.tiled.encoded"])
                < Self.bound)
        #expect(
            relativeError(try vae.decodeTiled(executor, scope, whole("vae.tiled.latents")).values, try goldens["vae.tiled.decoded"])
                < Self.bound)
    }

    @Test(arguments: names) func noiseLevelsEqualTheScheduler(name: String) throws {
        let fixtures = try Flux2KleinFixtures(name)
        for (steps, tokens) in [(1, 64), (4, 60), (4, 4096), (9, 1024), (50, 4096), (50, 4300), (4, 4301)] {
            let mu = Flux2KleinFamily.mu(tokens: tokens, steps: steps)
            let schedule = try fixtures.family.scheduler.schedule(steps: steps, .evenShifted(mu: mu))
            #expect(relativeError(schedule.sigmas, try fixtures.goldens["sigmas.\(steps).\(tokens)"]) < 1e-6)
            #expect(relativeError((0..<steps).map(schedule.timestep), try fixtures.goldens["timesteps.\(steps).\(tokens)"]) < 1e-6)
        }
    }
}
