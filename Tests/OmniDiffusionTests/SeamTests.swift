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

    @Test func aPromptIsPaddedBehind() {
        let short = TextInput([4, 5], paddedTo: 4, with: 9)
        #expect(short.ids == [4, 5, 9, 9] && short.mask == [true, true, false, false])
        for full in [TextInput([4, 5], paddedTo: 2, with: 9), TextInput([4, 5], paddedTo: 0, with: 9)] {
            #expect(full.ids == [4, 5] && full.mask == nil)
        }
    }

    @Test func aMaskBecomesAsLargeAsLatents() throws {
        // Two by one latents of four pixels a side; the first column of the second latent is half white at its middle.
        let white: Set<[Int]> = [[0, 0], [5, 1], [6, 1], [5, 0]]
        let mask = try #require(
            FloatImage(width: 8, height: 4, channels: 1, values: (0..<32).map { white.contains([$0 % 8, $0 / 8]) ? 0.6 : 0.4 }))
        #expect(MaskScaling.nearest.scaled(mask, columns: 2, rows: 1) == [1, 0])
        #expect(MaskScaling.bilinear.scaled(mask, columns: 2, rows: 1) == [0, 0.5])
        // An odd side has a pixel in the middle.
        let odd = try #require(FloatImage(width: 3, height: 3, channels: 1, values: [0, 0, 0, 0, 1, 0, 0, 0, 0]))
        #expect(MaskScaling.bilinear.scaled(odd, columns: 1, rows: 1) == [1])
    }

    @Test func noiseLevelsCanBeShiftedByThePipeline() throws {
        var config = FlowMatchEuler.Config()
        func levels(_ spacing: NoiseSpacing) throws -> [Float] { try FlowMatchEuler(config).schedule(steps: 4, spacing).sigmas }
        #expect(try levels(.evenShifted(mu: 2)) == levels(.even(tokens: 64)))
        config.use_dynamic_shifting = true
        let mu = try FlowMatchEuler(config).mu(tokens: 100)
        #expect(try levels(.evenShifted(mu: mu)) == levels(.even(tokens: 100)))
        let factor = Float(exp(2.0))
        #expect(
            relativeError(try levels(.evenShifted(mu: 2)), [1, 0.75, 0.5, 0.25, 0].map { factor * $0 / (factor * $0 + 1 - $0) }) < 1e-6)
    }

    /// Latents in patches are those of the plain autoencoder, a square side by side and each of its latents normalized.
    @Test func anAutoencoderCanHaveItsLatentsInPatches() throws {
        let copy = try CheckpointCopy("small")
        let mean = (0..<64).map { Float($0) / 10 }
        let variance = (0..<64).map { Float($0 + 1) / 4 }
        func load(_ statistics: [String: [Float]]) throws -> (PatchedAutoencoder, PipelineRun) {
            try copy.rewrite("vae") { tensors in
                for name in ["running_mean", "running_var"] { tensors["bn.\(name)"] = nil }
                for (name, values) in statistics {
                    tensors["bn.\(name)"] = .init(type: "F32", shape: [values.count], bytes: values.withUnsafeBytes { Array($0) })
                }
            }
            let backend = try Backend(threads: 2, useGPU: false)
            let checkpoint = try Checkpoint(.folder(copy.folder), backend: backend, options: DiffusionOptions()) { _ in }
            let store = try checkpoint.weights("vae") { PatchedAutoencoder.adjust(&$0, rounds: false) }
            let vae = try PatchedAutoencoder(checkpoint.config("vae"), store, precision: .exact)
            return (vae, PipelineRun(executor: try Executor(backend), scope: ComputeScope()) { _ in })
        }
        let (vae, run) = try load(["running_mean": mean, "running_var": variance])
        #expect(vae.scale == 2 * vae.inner.scale && vae.latentChannels == 64)
        #expect(vae.normalization == .perChannel(mean: mean, deviation: variance.map { ($0 + 1e-4).squareRoot() }))
        let picture = Plane(width: 12, height: 8, channels: 3) { x, y, channel in sin(Float(x * 7 + y * 3 + channel)) }
        let plain = try vae.inner.encode(run.executor, run.scope, picture)
        let moments = try vae.encode(run.executor, run.scope, picture)
        #expect(moments.shape == [3, 2, 128] && moments.unpatched(2) == plain)
        // Means lie before variances, and a token's values as those of patches.
        #expect(moments.mean == plain.mean.patched(2))
        #expect(LatentLayout.patches(1).latents(moments.mean) == LatentLayout.patches(2).latents(plain.mean))
        let decoded = try vae.decode(run.executor, run.scope, moments.mean)
        #expect(try decoded == vae.inner.decode(run.executor, run.scope, plain.mean))
        let (wrong, missing) = ([Float](mean.dropLast()), ["running_mean": mean])
        for statistics in [
            missing, ["running_mean": wrong, "running_var": variance], ["running_mean": mean, "running_var": mean.map { -$0 }],
        ] {
            #expect(throws: DiffusionError.self) { try load(statistics) }
        }
    }

    @Test func aModelThatLooksAtNoPicturesRefusesThem() throws {
        let (family, backend) = try Fixtures.family("small")
        var request = ImageRequest(prompt: "x", seed: 1)
        request.references = [try #require(FloatImage(width: 32, height: 32, values: [Float](repeating: 0.5, count: 3072)))]
        let refusal = #expect(throws: ImageModelError.self) { try family.plan(request, PlanningContext(backend: backend)) }
        guard case .invalid(parameter: "image", reason: _)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
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
