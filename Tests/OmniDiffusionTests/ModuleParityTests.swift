import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// Each network against the reference, f32 weights, nothing rounded.
@Suite struct ModuleParityTests {
    static let bound = 1e-3

    @Test(arguments: ["small", "other"]) func textStates(name: String) throws {
        let (family, backend) = try Fixtures.family(name)
        let goldens = try Goldens("\(name).goldens")
        let executor = try Executor(backend)
        for (prompt, golden) in [(Fixtures.prompt, "text.hidden"), (Fixtures.negative, "text.negative")] {
            let states = try executor.evaluate(ComputeScope()) { [try family.states($0, tokens: family.tokenize(prompt))] }[0]
            #expect(relativeError(states, try goldens[golden]) < Self.bound)
        }
    }

    @Test(arguments: ["small", "other"]) func rotaryAngles(name: String) throws {
        let (family, _) = try Fixtures.family(name)
        let goldens = try Goldens("\(name).goldens")
        let tokens = try family.tokenize(Fixtures.prompt).count
        let positions = ZImagePositions.picture(columns: 5, rows: 3, captionTokens: tokens)
        let reference = try goldens["rope.positions"]
        #expect((0..<positions.count).flatMap { token in positions.axes.map { Float($0[token]) } } == reference)
        let divisors = ZImagePositions.divisors(family.transformer.config)
        let axes = family.transformer.config.axes_dims.enumerated().flatMap { Array(repeating: $0, count: $1 / 2) }
        let angles = (0..<positions.count).flatMap { token in
            divisors.indices.map { Double(Float(positions.axes[axes[$0]][token]) / divisors[$0]) }
        }
        #expect(relativeError(angles.map { Float(cos($0)) }, try goldens["rope.cos"]) < 1e-5)
        #expect(relativeError(angles.map { Float(sin($0)) }, try goldens["rope.sin"]) < 1e-5)
    }

    @Test(arguments: ["small", "other"]) func blocks(name: String) throws {
        let (family, backend) = try Fixtures.family(name)
        let goldens = try Goldens("\(name).goldens")
        let executor = try Executor(backend)
        let transformer = family.transformer
        let time = try goldens["transformer.t"][0]
        let caption = try family.tokenize(Fixtures.prompt).count
        let picture = ZImagePositions.picture(columns: 5, rows: 3, captionTokens: caption)
        #expect(
            relativeError(try executor.evaluate(ComputeScope()) { [try transformer.time($0, time)] }[0], try goldens["t_embedder.out"])
                < Self.bound)
        let cases: [(String, ZImageBlock, ZImagePositions, Bool)] = [
            ("noise_refiner", transformer.noiseRefiner[0], picture, true),
            ("context_refiner", transformer.contextRefiner[0], .caption(caption), false),
            ("layer", transformer.layers[0], picture + .caption(caption), true),
        ]
        for (block, module, positions, timed) in cases {
            let shape = try goldens.shape("\(block).in")
            let input = try goldens["\(block).in"]
            let output = try executor.evaluate(ComputeScope()) { graph in
                let x = try graph.input(Array(shape.prefix(2)), input)
                return [
                    try module(
                        graph, x, transformer.rotation(graph, positions), [positions.count],
                        time: timed ? transformer.time(graph, time) : nil, .exact)
                ]
            }[0]
            #expect(relativeError(output, try goldens["\(block).out"]) < Self.bound, "\(block)")
        }
    }

    @Test(arguments: ["small", "other"]) func transformer(name: String) throws {
        let (family, backend) = try Fixtures.family(name)
        let goldens = try Goldens("\(name).goldens")
        let executor = try Executor(backend)
        let shape = try goldens.shape("transformer.latents")
        let size = LatentShape(channels: shape[3], height: shape[1], width: shape[0])
        let tokens = try family.tokenize(Fixtures.prompt)
        let run = PipelineRun(executor: executor, scope: ComputeScope()) { _ in }
        let condition = try run.encodePrompts([tokens]) { try family.condition($0, tokens: $1) }[0]
        let request = PredictionRequest(latents: try goldens["transformer.latents"], condition: condition)
        let velocity = try run.evaluate { try family.velocity($0, [request], size, progress: 0.3) }
        #expect(relativeError(family.unpack(velocity, size).map { -$0 }, try goldens["transformer.out"]) < Self.bound)
    }

    @Test(arguments: ["small", "other"]) func autoencoder(name: String) throws {
        let (family, backend) = try Fixtures.family(name)
        let goldens = try Goldens("\(name).goldens")
        let executor = try Executor(backend)
        let scope = ComputeScope()
        #expect(
            relativeError(try family.vae.encode(executor, scope, goldens.plane("vae.image")).values, try goldens["vae.moments"])
                < Self.bound)
        #expect(
            relativeError(try family.vae.decode(executor, scope, goldens.plane("vae.latents")).values, try goldens["vae.decoded"])
                < Self.bound)
        #expect(
            relativeError(
                try family.vae.encodeTiled(executor, scope, goldens.plane("vae.tiled.image")).values, try goldens["vae.tiled.moments"])
                < Self.bound)
        #expect(
            relativeError(
                try family.vae.decodeTiled(executor, scope, goldens.plane("vae.tiled.latents")).values, try goldens["vae.tiled.decoded"])
                < Self.bound)
    }
}
