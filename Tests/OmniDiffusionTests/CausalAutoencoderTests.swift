import Foundation
import Synchronization
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// The video autoencoder beside diffusers: `first` has the form of Wan 2.1, `second` that of Wan 2.2, `third` a latent for each frame.
@Suite("Video autoencoder") struct CausalAutoencoderTests {
    static let bound = 1e-5
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/wan-vae"

    /// One of the two, with its goldens.
    struct Setup {
        let vae: CausalAutoencoder
        let executor: Executor
        let goldens: [String: WeightEntry]

        init(_ name: String, rounds: Bool = false, ownKernels: Bool = true) throws {
            let folder = "\(CausalAutoencoderTests.root)/\(name)"
            let backend = try Backend(threads: 2, useGPU: false, ownKernels: ownKernels)
            var options = WeightOptions()
            CausalAutoencoder.adjust(&options, rounds: rounds)
            let config = try JSONDecoder().decode(
                CausalAutoencoder.Config.self, from: Data(contentsOf: URL(filePath: "\(folder)/config.json")))
            vae = try CausalAutoencoder(config, WeightStore(WeightFiles(path: folder), on: backend, options: options))
            executor = try Executor(backend)
            goldens = try WeightFiles(path: "\(folder).goldens.safetensors").entries
        }

        func golden(_ name: String) throws -> VideoLatents {
            let entry = try #require(goldens[name], "no golden \(name)")
            let values = try entry.file.read(at: entry.offset, count: entry.byteCount).withUnsafeBytes {
                Array($0.bindMemory(to: Float.self))
            }
            return try VideoLatents(checked: entry.shape.reversed(), values)
        }

        /// All frames decoded, `[3, frames, height, width]` in −1…1.
        func decode(_ latents: VideoLatents, tiling: VideoTiling? = nil) throws -> VideoLatents {
            var frames: [LatentFrame] = []
            try vae.decode(executor, ComputeScope(), latents, tiling: tiling) { index, picture in
                #expect(index == frames.count)
                frames.append(
                    LatentFrame(width: picture.width, height: picture.height, channels: 3, values: picture.values.map { 2 * $0 - 1 }))
            }
            return try LatentFrame.latents(frames)
        }
    }

    /// What `video` of Tools/goldens/wan_vae.py makes, in 0…1.
    static func video(_ index: Int, frames: Int, width: Int, height: Int) throws -> FloatImage {
        let values = (0..<height * width * 3).map { place -> Float in
            let (pixel, color) = (place / 3, place % 3)
            let flat = (color * frames + index) * height * width + pixel
            return Float(flat * 7919 % 1009) / 504.5 / 2
        }
        return try #require(FloatImage(width: width, height: height, values: values))
    }

    /// The first `count` frames.
    static func beginning(_ video: VideoLatents, _ count: Int) throws -> VideoLatents {
        let size = video.shape[2] * video.shape[3]
        let values = (0..<video.shape[0]).flatMap { channel -> ArraySlice<Float> in
            let first = channel * video.shape[1] * size
            return video.values[first..<first + count * size]
        }
        return try VideoLatents(checked: [video.shape[0], count, video.shape[2], video.shape[3]], values)
    }

    @Test("encodes as the reference does", arguments: ["first", "second", "third"], [1, 5, 9])
    func encoding(name: String, frames: Int) throws {
        let setup = try Setup(name)
        let golden = try setup.golden("moments.\(frames)")
        let (width, height) = (golden.shape[3] * setup.vae.config.scale, golden.shape[2] * setup.vae.config.scale)
        let moments = try setup.vae.encode(setup.executor, ComputeScope(), frames: frames, width: width, height: height) {
            try Self.video($0, frames: frames, width: width, height: height)
        }
        #expect(moments.shape == golden.shape)
        #expect(relativeError(moments.values, golden.values) < Self.bound)
        let mode = try setup.vae.mode(moments)
        #expect(mode.shape[0] * 2 == golden.shape[0] && mode.values == Array(moments.values.prefix(mode.values.count)))
    }

    @Test("decodes as the reference does, whatever the length", arguments: ["first", "second", "third"], [1, 2, 3])
    func decoding(name: String, count: Int) throws {
        let setup = try Setup(name)
        let decoded = try setup.decode(Self.beginning(setup.golden("latents"), count))
        let golden = try Self.beginning(setup.golden("decoded"), setup.vae.frames(latents: count))
        #expect(decoded.shape == golden.shape)
        #expect(relativeError(decoded.values, golden.values) < Self.bound)
    }

    @Test("decodes and encodes as the reference does with ggml's operations alone, as on a GPU", arguments: ["first", "second", "third"])
    func withoutOwnKernels(name: String) throws {
        let setup = try Setup(name, ownKernels: false)
        let decoded = try setup.decode(Self.beginning(setup.golden("latents"), 3))
        let golden = try Self.beginning(setup.golden("decoded"), setup.vae.frames(latents: 3))
        #expect(relativeError(decoded.values, golden.values) < Self.bound)
        let own = try Setup(name)
        func encoded(_ setup: Setup) throws -> [Float] {
            try setup.vae.encode(setup.executor, ComputeScope(), frames: 5, width: 48, height: 32) {
                try Self.video($0, frames: 5, width: 48, height: 32)
            }.values
        }
        #expect(try relativeError(encoded(setup), encoded(own)) < Self.bound)
    }

    @Test("rounds a little where that was asked for", arguments: ["first", "second", "third"])
    func rounding(name: String) throws {
        let (exact, rounded) = try (Setup(name), Setup(name, rounds: true))
        let latents = try exact.golden("latents")
        let golden = try exact.golden("decoded")
        let error = try relativeError(rounded.decode(latents).values, golden.values)
        #expect(error < (name == "third" ? 0.03 : 0.02))
        let price = try [exact, rounded].map {
            try $0.vae.decodePrice($0.executor, width: latents.shape[3], height: latents.shape[2]).total
        }
        #expect(price[1] <= price[0])
    }

    @Test(
        "decodes in tiles as the reference does",
        arguments: [
            ("first", VideoTiling(side: 32, step: 24)), ("second", VideoTiling(side: 48, step: 32)),
            ("third", VideoTiling(side: 32, step: 24)),
        ])
    func tiles(name: String, tiling: VideoTiling) throws {
        let setup = try Setup(name)
        let decoded = try setup.decode(setup.golden("tiled.latents"), tiling: tiling)
        let golden = try setup.golden("tiled.decoded")
        #expect(decoded.shape == golden.shape)
        #expect(relativeError(decoded.values, golden.values) < Self.bound)
    }

    @Test("goes to the transformer's scale and back", arguments: ["first", "second", "third"])
    func scale(name: String) throws {
        let setup = try Setup(name)
        let latents = try setup.golden("latents")
        let normal = try setup.vae.normalized(latents)
        let (mean, deviation) = (setup.vae.config.latents_mean[1], setup.vae.config.latents_std[1])
        let second = latents.values.count / latents.shape[0]
        #expect(abs(normal.values[second] - (latents.values[second] - mean) / deviation) < 1e-5)
        #expect(relativeError(try setup.vae.denormalized(normal).values, latents.values) < 1e-5)
    }

    @Test("keeps no more for a long video than for a short one", arguments: ["first", "second", "third"])
    func memory(name: String) throws {
        let setup = try Setup(name)
        let latent = try setup.golden("latents").frame(0)
        let memory = TemporalCache(on: setup.executor.backend)
        var sizes: [Int] = []
        for _ in 0..<6 {
            _ = try setup.vae.decodeChunk(setup.executor, ComputeScope(), latent, memory)
            sizes.append(memory.byteCount)
        }
        // The first chunk has fewer frames, where several share a latent.
        #expect(sizes[0] > 0 && sizes[1] > sizes[0] || name == "third")
        #expect(Set(sizes[1...]).count == 1, "\(sizes)")
        // The price covers what is carried and the graph beside it.
        let price = try setup.vae.decodePrice(setup.executor, width: latent.width, height: latent.height)
        #expect(price.graph > sizes[1])
    }

    /// A lane that cancels when it is taken for the `limit`th time.
    final class CancellingLane: ComputeLane {
        let count = Mutex(0)
        let token: CancellationToken
        let limit: Int
        init(_ token: CancellationToken, limit: Int) { (self.token, self.limit) = (token, limit) }
        func acquire() {
            let taken = count.withLock { count in
                count += 1
                return count
            }
            if taken == limit { token.cancel() }
        }
        func release() {}
    }

    @Test("stops inside a chunk", arguments: [1, 2])
    func cancellation(limit: Int) throws {
        let setup = try Setup("first")
        let token = CancellationToken()
        let scope = ComputeScope(lane: CancellingLane(token, limit: limit), cancellation: token)
        let latents = try setup.golden("latents")
        var frames = 0
        #expect(throws: CancellationError.self) { try setup.vae.decode(setup.executor, scope, latents) { _, _ in frames += 1 } }
        #expect(frames < 9)
        #expect(throws: CancellationError.self) {
            try setup.vae.encode(setup.executor, scope, frames: 1, width: 40, height: 24) {
                try Self.video($0, frames: 1, width: 40, height: 24)
            }
        }
    }

    @Test("what the taker of frames throws ends the work")
    func takerFails() throws {
        struct Full: Error {}
        let setup = try Setup("first")
        let latents = try setup.golden("latents")
        var frames = 0
        #expect(throws: Full.self) {
            try setup.vae.decode(setup.executor, ComputeScope(), latents) { _, _ in
                frames += 1
                if frames == 3 { throw Full() }
            }
        }
        #expect(frames == 3)
    }

    @Test("refuses videos and latents that do not fit")
    func faults() throws {
        let setup = try Setup("second")
        let wrong = try VideoLatents(checked: [3, 1, 2, 2], [Float](repeating: 0, count: 12))
        #expect(throws: TensorError.self) { try setup.vae.decode(setup.executor, ComputeScope(), wrong) { _, _ in } }
        #expect(throws: TensorError.self) { try setup.vae.normalized(wrong) }
        let picture = try #require(FloatImage(width: 8, height: 8, values: [Float](repeating: 0, count: 192)))
        #expect(throws: TensorError.self) {
            try setup.vae.encode(setup.executor, ComputeScope(), frames: 1, width: 40, height: 40) { _ in picture }
        }
        #expect(throws: TensorError.self) {
            try setup.vae.encode(setup.executor, ComputeScope(), frames: 1, width: 32, height: 32) { _ in picture }
        }
    }
}
