import Foundation
import OmniEngine
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// What families stand on: text encoders, layouts and scales of latents.
@Suite struct SeamTests {
    static func encoder() throws -> (family: ZImageFamily, run: PipelineRun) {
        let (family, backend) = try Fixtures.family("small")
        return (family, PipelineRun(executor: try Executor(backend), scope: ComputeScope()) { _ in })
    }

    @Test func aTextEncoderGivesTheStatesOfSeveralLayers() throws {
        let (family, run) = try Self.encoder()
        let input = TextInput(try family.tokenize(Fixtures.prompt))
        let together = try run.executor.evaluate(run.scope) { try family.encoder.states($0, input, layers: [2, 0, 1]) }
        for (place, layer) in [2, 0, 1].enumerated() {
            let alone = try run.evaluate { try family.encoder.states($0, input, layers: [layer])[0] }
            #expect(alone == together[place] && alone.count == input.ids.count * family.encoder.width)
        }
        #expect(Set(together).count == 3)
        // The last of three layers is not loaded.
        #expect(throws: DiffusionError.self) { try run.evaluate { try family.encoder.states($0, input, layers: [3])[0] } }
        #expect(throws: DiffusionError.self) { try run.evaluate { try family.encoder.states($0, TextInput([1 << 20]), layers: [1])[0] } }
    }

    @Test func paddingIsSeenByNoToken() throws {
        let (family, run) = try Self.encoder()
        let ids = try family.tokenize(Fixtures.prompt)
        let plain = try run.evaluate { try family.encoder.states($0, TextInput(ids), layers: [2])[0] }
        var padded = TextInput([5, 6, 7] + ids + [8])
        padded.mask = [false, false, false] + ids.map { _ in true } + [false]
        padded.positions = [[0, 0, 0] + (0..<Int32(ids.count)).map { $0 } + [0]]
        let states = try run.evaluate { try family.encoder.states($0, padded, layers: [2])[0] }
        let width = family.encoder.width
        #expect(states.allSatisfy { $0.isFinite })
        #expect(relativeError(Array(states[3 * width..<(3 + ids.count) * width]), plain) < 1e-5)
        padded.mask = nil
        let seen = try run.evaluate { try family.encoder.states($0, padded, layers: [2])[0] }
        #expect(relativeError(Array(seen[3 * width..<(3 + ids.count) * width]), plain) > 1e-2)
        padded.mask = [true]
        #expect(throws: DiffusionError.self) { try run.evaluate { try family.encoder.states($0, padded, layers: [2])[0] } }
    }

    /// As an encoder of pictures gives them.
    @Test func statesCanStandInThePlaceOfTokens() throws {
        let (family, run) = try Self.encoder()
        let ids = try family.tokenize(Fixtures.prompt)
        let width = family.encoder.width
        let embeddings = try run.evaluate { try family.encoder.states($0, TextInput(ids), layers: [0])[0] }
        let plain = try run.evaluate { try family.encoder.states($0, TextInput(ids), layers: [2])[0] }
        var given = TextInput(ids)
        for (place, count) in [(4, 2), (0, 1), (ids.count - 1, 1)] {
            given.ids.replaceSubrange(place..<place + count, with: [Int](repeating: 3, count: count))
            given.insertions.append(.init(place: place, count: count, states: Array(embeddings[place * width..<(place + count) * width])))
        }
        #expect(try run.evaluate { try family.encoder.states($0, given, layers: [2])[0] } == plain)
        given.insertions.append(.init(place: 5, count: 2, states: []))
        #expect(throws: DiffusionError.self) { try run.evaluate { try family.encoder.states($0, given, layers: [2])[0] } }
    }

    @Test(arguments: [LatentLayout.planes, .patches(2), .patches(3)]) func latentsGoIntoALayoutAndBack(layout: LatentLayout) {
        let shape = LatentShape(channels: 5, height: 6, width: 12)
        let plane = Plane(width: 12, height: 6, channels: 5, values: (0..<shape.count).map { Float($0) })
        let latents = layout.latents(plane)
        #expect(layout.plane(latents, shape) == plane && Set(latents).count == latents.count)
        // A token has its first channel's rows, then the next channel's.
        if layout == .patches(2) { #expect(Array(latents.prefix(6)) == [0, 1, 12, 13, 72, 73]) }
    }

    @Test func eachChannelHasItsScale() throws {
        let scale = LatentNormalization.perChannel(mean: [1, -2], deviation: [2, 4])
        #expect(scale.normalized([3, 5, 6, 2]) == [1, 2, 2, 1] && scale.denormalized([1, 2, 2, 1]) == [3, 5, 6, 2])
        let plain = LatentNormalization.scaled(by: 0.5, shift: 1)
        #expect(plain.normalized([3, 5]) == [1, 2] && plain.denormalized([1, 2]) == [3, 5])
    }

    /// The KL autoencoder takes means and deviations where its config has them: another scale of the same latents is another picture.
    @Test func theAutoencodersConfigDecidesTheScale() throws {
        let copy = try CheckpointCopy("small")
        let path = "\(copy.folder)/vae/config.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        func statistics(_ count: Int, _ deviation: Float) -> String {
            "\"latents_mean\": \([Float](repeating: 0.25, count: count)), \"latents_std\": \([Float](repeating: deviation, count: count)),"
        }
        #expect(try Fixtures.family("small").0.vae.normalization == .scaled(by: 0.3611, shift: 0.1159))
        try text.replacing(try Regex("\"latents_(mean|std)\": null,"), with: "").replacing(
            "{", with: "{" + statistics(16, 2), maxReplacements: 1
        )
        .write(toFile: path, atomically: true, encoding: .utf8)
        let (family, _) = try Fixtures.family(folder: copy.folder)
        #expect(
            family.vae.normalization
                == .perChannel(mean: [Float](repeating: 0.25, count: 16), deviation: [Float](repeating: 2 / 0.3611, count: 16)))
        for wrong in [statistics(15, 2), statistics(16, 0)] {
            try text.replacing(try Regex("\"latents_(mean|std)\": null,"), with: "").replacing("{", with: "{" + wrong, maxReplacements: 1)
                .write(toFile: path, atomically: true, encoding: .utf8)
            #expect(throws: DiffusionError.self) { try Fixtures.family(folder: copy.folder) }
        }
    }

    /// One frame through the video autoencoder's picture path is the first frame of a video.
    @Test func aPictureIsAVideoOfOneFrame() throws {
        for name in ["first", "second", "third"] {
            let setup = try CausalAutoencoderTests.Setup(name)
            let latents = try CausalAutoencoderTests.beginning(setup.golden("latents"), 1)
            let frame = try setup.decode(latents)
            let picture = try setup.vae.decode(setup.executor, ComputeScope(), latents.frame(0).plane)
            #expect(relativeError(picture.values.map { min(max($0, -1), 1) }, frame.values) < 1e-5, "\(name)")
            let (width, height) = (setup.vae.scale * 3, setup.vae.scale * 2)
            let source = try CausalAutoencoderTests.video(0, frames: 1, width: width, height: height)
            let moments = try setup.vae.encode(setup.executor, ComputeScope(), frames: 1, width: width, height: height) { _ in source }
            let plane = Plane(width: width, height: height, channels: 3) { x, y, channel in
                2 * source.values[(y * width + x) * 3 + channel] - 1
            }
            #expect(relativeError(try setup.vae.encode(setup.executor, ComputeScope(), plane).values, moments.values) < 1e-5, "\(name)")
            // Nothing is kept for a next frame.
            let video = try setup.vae.decodePrice(setup.executor, width: 6, height: 4)
            #expect(try setup.vae.decodeMemory(setup.executor, width: 6, height: 4).graph < video.graph, "\(name)")
        }
    }
}
