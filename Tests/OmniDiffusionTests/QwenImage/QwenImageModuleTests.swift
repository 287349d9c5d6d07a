import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// Qwen-Image's networks against the reference, f32 weights, nothing rounded.
@Suite struct QwenImageModuleTests {
    static let bound = 1e-3
    static let names = ["small", "other"]

    struct Tokens: Decodable {
        let texts: [String]
        let ids: [[Int]]
        let long: [Int]
    }

    @Test(arguments: names) func promptsStandInTheTemplate(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        let tokens = try JSONDecoder().decode(
            Tokens.self, from: Data(contentsOf: URL(fileURLWithPath: "\(QwenImageFixtures.root)/\(name).tokens.json")))
        for (text, ids) in zip(tokens.texts, tokens.ids) { #expect(fixtures.family.tokenize(text) == ids, "\(text.debugDescription)") }
        // The pipeline cuts off what the transformer would not see.
        #expect(fixtures.family.tokenize(String(repeating: "fox ", count: 900)) == Array(tokens.long.prefix(34 + 512)))
    }

    @Test(arguments: names) func textStatesAreThoseOfThePromptAlone(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        for (prompt, golden) in [(QwenImageFixtures.prompt, "text.hidden"), (QwenImageFixtures.negative, "text.negative")] {
            let states = try fixtures.run.evaluate { try fixtures.family.states($0, tokens: fixtures.family.tokenize(prompt)) }
            #expect(relativeError(states, try fixtures.goldens[golden]) < Self.bound)
        }
    }

    @Test(arguments: names) func everyLayerOfTheTextEncoder(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        let encoder = fixtures.family.encoder
        let input = TextInput(fixtures.family.tokenize(QwenImageFixtures.prompt))
        let layers = Array(0...encoder.config.num_hidden_layers)
        let states = try fixtures.run.executor.evaluate(ComputeScope()) { try encoder.states($0, input, layers: layers) }
        for layer in layers {
            #expect(relativeError(states[layer], try fixtures.goldens["text.layer.\(layer)"]) < Self.bound, "layer \(layer)")
        }
        func last(_ input: TextInput) throws -> [Float] {
            try fixtures.run.evaluate { try encoder.states($0, input, layers: [layers.count - 1])[0] }
        }
        // Padding behind, whose places count on in the reference (transformers leaves them to the text model where there is no picture).
        var padded = TextInput(input.ids + [Int](repeating: 3, count: 5))
        padded.mask = input.ids.map { _ in true } + [Bool](repeating: false, count: 5)
        #expect(relativeError(try last(padded), try fixtures.goldens["text.padded"]) < Self.bound)
        var placed = input
        let places = (0..<Int32(input.ids.count)).map { $0 }
        placed.positions = [places, places.map { $0 / 3 }, places.map { 2 + $0 % 5 }]
        #expect(relativeError(try last(placed), try fixtures.goldens["text.axes"]) < Self.bound)
    }

    @Test(arguments: names) func rotaryAngles(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        let axes = fixtures.family.transformer.config.axes_dims_rope
        let divisors = Rotation.divisors(axes, theta: 10_000)
        let axisOf = axes.enumerated().flatMap { Array(repeating: $0, count: $1 / 2) }
        let tokens = try fixtures.goldens.shape("rope.text.cos")[1]
        // Three rows and five columns have no middle.
        for (positions, golden) in [
            (QwenImagePositions.picture(columns: 5, rows: 3), "rope.picture"), (.text(tokens, columns: 5, rows: 3), "rope.text"),
        ] {
            let angles = positions.axes[0].indices.flatMap { token in
                divisors.indices.map { Double(Float(positions.axes[axisOf[$0]][token]) / divisors[$0]) }
            }
            #expect(relativeError(angles.map { Float(cos($0)) }, try fixtures.goldens["\(golden).cos"]) < 1e-5)
            #expect(relativeError(angles.map { Float(sin($0)) }, try fixtures.goldens["\(golden).sin"]) < 1e-5)
        }
    }

    @Test(arguments: names) func block(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        let (transformer, goldens) = (fixtures.family.transformer, fixtures.goldens)
        let (pictureShape, textShape) = (try goldens.shape("block.picture.in"), try goldens.shape("block.text.in"))
        let (picture, text, time) = (try goldens["block.picture.in"], try goldens["block.text.in"], try goldens["block.time"])
        let output = try fixtures.run.executor.evaluate(ComputeScope()) { graph in
            let embedding = try graph.silu(graph.input([time.count], time))
            let context = try transformer.context(graph, time: embedding, columns: 5, rows: 3, texts: [textShape[1]])
            let streams = QwenImageStreams(
                picture: try graph.input(Array(pictureShape.prefix(2)), picture), text: try graph.input(Array(textShape.prefix(2)), text))
            let after = try transformer.blocks[0](graph, streams, context)
            return [after.picture, after.text]
        }
        #expect(relativeError(output[0], try goldens["block.picture.out"]) < Self.bound)
        #expect(relativeError(output[1], try goldens["block.text.out"]) < Self.bound)
    }

    @Test(arguments: names) func transformer(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        let (family, run) = (fixtures.family, fixtures.run)
        let condition = try run.encodePrompts([family.tokenize(QwenImageFixtures.prompt)]) { try family.condition($0, tokens: $1) }[0]
        let request = PredictionRequest(latents: try fixtures.goldens["transformer.latents"], condition: condition)
        let velocity = try run.evaluate { try family.velocity($0, [request], 5, 3, time: 300) }
        #expect(relativeError(velocity, try fixtures.goldens["transformer.out"]) < Self.bound)
    }

    @Test(arguments: names) func autoencoder(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        let (goldens, executor, scope) = (fixtures.goldens, fixtures.run.executor, ComputeScope())
        var vae = fixtures.family.vae
        vae.tileSide = 8 * vae.scale
        func cut(_ picture: Plane) -> [Float] { picture.values.map { min(max($0, -1), 1) } }
        #expect(relativeError(try vae.encode(executor, scope, goldens.plane("vae.image")).values, try goldens["vae.moments"]) < Self.bound)
        #expect(relativeError(cut(try vae.decode(executor, scope, goldens.plane("vae.latents"))), try goldens["vae.decoded"]) < Self.bound)
        #expect(
            relativeError(try vae.encodeTiled(executor, scope, goldens.plane("vae.tiled.image")).values, try goldens["vae.tiled.moments"])
                < Self.bound)
        #expect(
            relativeError(cut(try vae.decodeTiled(executor, scope, goldens.plane("vae.tiled.latents"))), try goldens["vae.tiled.decoded"])
                < Self.bound)
    }

    @Test(arguments: names) func noiseLevelsEqualTheScheduler(name: String) throws {
        let fixtures = try QwenImageFixtures(name)
        for (steps, tokens) in [(4, 60), (9, 1024), (50, 4096)] {
            let schedule = try fixtures.family.scheduler.schedule(steps: steps, .even(tokens: tokens))
            #expect(relativeError(schedule.sigmas, try fixtures.goldens["sigmas.\(steps).\(tokens)"]) < 1e-6)
            #expect(relativeError((0..<steps).map(schedule.timestep), try fixtures.goldens["timesteps.\(steps).\(tokens)"]) < 1e-6)
        }
        // Of one step the reference has no number where the last level is a wanted one (0/0): it is noise alone.
        let single = try fixtures.family.scheduler.schedule(steps: 1, .even(tokens: 64))
        #expect(single.sigmas == [1, 0] && single.timestep(0) == 1000)
    }
}
