import Foundation
import OmniEngine
import OmniTokenizer
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// Wan's networks against the reference, f32 weights, nothing rounded.
@Suite struct WanModuleTests {
    static let bound = 1e-3
    static let names = ["t2v", "ti2v", "a14b", "i2v"]

    @Test(arguments: names) func textStates(name: String) throws {
        let fixtures = try WanFixtures(name)
        for (prompt, golden) in [(WanFixtures.prompt, "text.states"), (WanFixtures.negative, "text.negative")] {
            let ids = fixtures.tokenizer.encode(prompt, limit: 512)
            let states = try fixtures.evaluate { try fixtures.encoder.states($0, ids: ids) }
            #expect(relativeError(states, try fixtures.goldens[golden]) < Self.bound)
        }
    }

    @Test(arguments: names) func timesAndTexts(name: String) throws {
        let fixtures = try WanFixtures(name)
        let (transformer, goldens) = (fixtures.transformer, fixtures.goldens)
        #expect(relativeError(try fixtures.evaluate { try transformer.time($0, [737]) }, try goldens["time"]) < Self.bound)
        let projection = try fixtures.evaluate { try transformer.modulation($0, transformer.time($0, [737])) }
        #expect(relativeError(projection, try goldens["time.projection"]) < Self.bound)
        let condition = try fixtures.condition()
        let (states, bias) = WanTransformer.places(condition.values, width: transformer.config.text_dim)
        let rows = WanTransformer.rows(tokens: condition.tokens)
        let text = try fixtures.evaluate { graph in try transformer.text(graph, graph.input([transformer.config.text_dim, rows], states)) }
        let reference = try goldens["text.embedded"]
        #expect(relativeError(Array(text.prefix(reference.count)), reference) < Self.bound)
        // All that is left of 512 places, on few rows.
        let weights = try #require(bias).map { exp($0) }
        #expect(weights.count == 32 && abs(weights.reduce(0, +) - 512) < 1e-2)
        #expect([0, 15, 16, 496, 511, 512].map { WanTransformer.rows(tokens: $0) } == [16, 16, 32, 512, 512, 512])
    }

    @Test(arguments: names) func rotaryAngles(name: String) throws {
        let fixtures = try WanFixtures(name)
        let config = fixtures.transformer.config
        let grid = WanGrid(frames: 3, rows: 2, columns: 3)
        let divisors = config.divisors
        let axes = config.sections.enumerated().flatMap { Array(repeating: $0, count: $1) }
        let angles = (0..<grid.count).flatMap { place in
            divisors.indices.map { Double(grid.positions[axes[$0]][place]) / Double(divisors[$0]) }
        }
        #expect(relativeError(angles.map { Float(cos($0)) }, try fixtures.goldens["rope.cos"]) < 1e-5)
        #expect(relativeError(angles.map { Float(sin($0)) }, try fixtures.goldens["rope.sin"]) < 1e-5)
    }

    @Test(arguments: names) func blockAndItsParts(name: String) throws {
        let fixtures = try WanFixtures(name)
        let (transformer, goldens) = (fixtures.transformer, fixtures.goldens)
        let block = transformer.blocks[1]
        let grid = WanGrid(frames: 3, rows: 2, columns: 3)
        let condition = try fixtures.condition()
        func run(_ part: String, _ body: (Graph, Tensor, WanContext) throws -> Tensor) throws -> Double {
            let input = try goldens["\(part).in"]
            let shape = Array(try goldens.shape("\(part).in").prefix(2))
            let output = try fixtures.evaluate { graph in
                let (states, bias) = WanTransformer.places(condition.values, width: transformer.config.text_dim)
                let text = try transformer.text(
                    graph, graph.input([transformer.config.text_dim, WanTransformer.rows(tokens: condition.tokens)], states))
                let context = WanContext(
                    text: text, textBias: try bias.map { bias in try graph.input([bias.count], bias) },
                    picture: try fixtures.seen().flatMap { try transformer.picture(graph, graph.input($0.shape, $0.values)) },
                    rotation: try transformer.rotation(graph, grid), timeOf: nil)
                return try body(graph, graph.input(shape, input), context)
            }
            return relativeError(output, try goldens["\(part).out"])
        }
        #expect(try run("attn1") { try block.own($0, $1, rotation: $2.rotation, .exact) } < Self.bound)
        #expect(try run("attn2") { try block.text($0, $1, $2, .exact) } < Self.bound)
        #expect(try run("ffn") { graph, x, _ in try block.feedForward(graph, x, .exact) } < Self.bound)
        #expect(
            try run("block") { try block($0, $1, time: transformer.modulation($0, transformer.time($0, [737])), $2, .exact) } < Self.bound)
    }

    /// In one graph and in one for each block; with one time, and with one for the first frame and one for the others.
    @Test(arguments: names) func transformer(name: String) throws {
        let fixtures = try WanFixtures(name)
        let (transformer, goldens) = (fixtures.transformer, fixtures.goldens)
        let shape = try fixtures.latentShape("transformer.latents")
        let latents = try goldens["transformer.latents"]
        let grid = transformer.grid(shape)
        let patches = transformer.patches(latents, shape)
        let given = (0..<grid.count).map { Int32($0 < grid.area ? 0 : 1) }
        for (times, timeOf, golden) in [([Float(737)], nil, "transformer.out"), ([0, 641], given, "transformer.times.out")] {
            let input = WanInput(
                transformer, grid, patches: patches, times: times, timeOf: timeOf, condition: try fixtures.condition(),
                picture: try fixtures.seen())
            let reference = try goldens[golden]
            for blocks in [transformer.blocks.count, 1] {
                let output = try transformer.evaluate(input, blocksPerGraph: blocks, fixtures.executor, ComputeScope())
                #expect(relativeError(transformer.latents(output, shape), reference) < Self.bound, "\(golden), \(blocks) blocks")
            }
        }
    }

    /// What CLIP is shown of a picture that is resized and cut, and what it sees.
    @Test func picturesAreSeenThroughCLIP() throws {
        let fixtures = try WanFixtures("i2v")
        let backend = fixtures.executor.backend
        let checkpoint = try Checkpoint(.folder("\(WanFixtures.root)/i2v"), backend: backend, options: DiffusionOptions()) { _ in }
        let eye = try WanFamily.eye(checkpoint, 28).0
        let pixels = eye.processor.pixels(try fixtures.goldens.image("picture"))
        let golden = try fixtures.goldens.image("clip.pixels")
        #expect(relativeError(pixels, golden.values) < 1e-5)
        #expect(
            relativeError(try fixtures.evaluate { try eye.states($0, pixels: pixels) }, try fixtures.goldens["clip.states"]) < Self.bound)
    }

    @Test func patchesAreLaidOutAndBack() throws {
        let transformer = try WanFixtures("t2v").transformer
        let shape = [6, 3, 4, 6]
        let latents = (0..<shape.reduce(1, *)).map { Float($0) }
        let patches = transformer.patches(latents, shape)
        #expect(patches.count == latents.count && Set(patches).count == latents.count)
        // The first patch: two by two of channel 0, then of channel 1.
        #expect(Array(patches.prefix(6)) == [0, 1, 6, 7, 72, 73])
    }

    @Test func aGraphWithTooManyNodesIsSplit() throws {
        let fixtures = try WanFixtures("t2v")
        let executor = try Executor(fixtures.executor.backend, capacity: 150)
        let input = WanInput(
            fixtures.transformer, WanGrid(frames: 3, rows: 2, columns: 3), patches: [], times: [5], timeOf: nil,
            condition: Condition(values: [], tokens: 20, shape: []))
        let (price, blocks) = try fixtures.transformer.price(input, executor)
        #expect(blocks == 1 && price.total > 0)
        #expect(try fixtures.transformer.price(input, fixtures.executor).blocksPerGraph == 2)
    }
}
