import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// The tiny checkpoints that Tools/goldens/flux2_klein.py wrote (torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0): `small` is
/// distilled and lies as diffusers saves it, `other` is a base model whose text encoder is in shards with a flat config.
struct Flux2KleinFixtures {
    static let root =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        + "/Fixtures/flux2-klein"
    static let prompt = "a red fox over the hill, 1889"

    /// What the script says in words and numbers.
    struct Described: Decodable {
        let texts: [String]
        let ids: [[Int]]
        let long: [Int]
        let padding: Int
        /// Of a file, after resizing, after cropping to multiples of 16.
        let sizes: [[[Int]]]
    }

    let family: Flux2KleinFamily
    let backend: Backend
    let goldens: Goldens
    let run: PipelineRun

    init(_ name: String) throws {
        (family, backend) = try Self.family("\(Self.root)/\(name)")
        goldens = try Goldens("\(name).goldens", in: Self.root)
        run = PipelineRun(executor: try Executor(backend), scope: ComputeScope()) { _ in }
    }

    static func described(_ name: String) throws -> Described {
        try JSONDecoder().decode(Described.self, from: Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name).json")))
    }

    static func family(_ folder: String, options: DiffusionOptions = DiffusionOptions()) throws -> (Flux2KleinFamily, Backend) {
        let backend = try Backend(threads: 2, useGPU: false)
        let checkpoint = try Checkpoint(.folder(folder), backend: backend, options: options) { _ in }
        return (try #require(DiffusionFamilies.images(checkpoint) as? Flux2KleinFamily), backend)
    }

    static func request(_ seed: UInt64, steps: Int, _ change: (inout ImageRequest) throws -> Void = { _ in }) rethrows -> ImageRequest {
        var request = ImageRequest(prompt: prompt, seed: seed)
        request.steps = steps
        try change(&request)
        return request
    }

    /// The size of most pictures: three rows of five patches.
    func size(_ request: inout ImageRequest) { (request.width, request.height) = (5 * family.vae.scale, 3 * family.vae.scale) }

    /// A golden picture as the worker hands it over: the middle of it, cut to multiples.
    func reference(_ index: Int) throws -> FloatImage {
        let whole = try goldens.image("reference.\(index)")
        let multiple = family.defaults.multiple
        let (width, height) = (whole.width / multiple * multiple, whole.height / multiple * multiple)
        let (left, top) = ((whole.width - width) / 2, (whole.height - height) / 2)
        let values = (0..<height).flatMap { y in
            (0..<width).flatMap { x in (0..<3).map { whole.values[((top + y) * whole.width + left + x) * 3 + $0] } }
        }
        return try #require(FloatImage(width: width, height: height, values: values))
    }
}
