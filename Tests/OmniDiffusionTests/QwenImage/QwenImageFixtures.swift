import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// The tiny checkpoints that Tools/goldens/qwen_image.py wrote (torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0): `small` has a
/// tokenizer.json and a nested text config, `other` is laid out as the checkpoint on the Hub.
struct QwenImageFixtures {
    static let root =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        + "/Fixtures/qwen-image"
    static let prompt = "a red fox over the hill, 1889"
    static let negative = "blurry"

    let family: QwenImageFamily
    let backend: Backend
    let goldens: Goldens
    let run: PipelineRun

    init(_ name: String) throws {
        (family, backend) = try Self.family("\(Self.root)/\(name)")
        goldens = try Goldens("\(name).goldens", in: Self.root)
        run = PipelineRun(executor: try Executor(backend), scope: ComputeScope()) { _ in }
    }

    static func family(_ folder: String, options: DiffusionOptions = DiffusionOptions()) throws -> (QwenImageFamily, Backend) {
        let backend = try Backend(threads: 2, useGPU: false)
        let checkpoint = try Checkpoint(.folder(folder), backend: backend, options: options) { _ in }
        return (try #require(DiffusionFamilies.images(checkpoint) as? QwenImageFamily), backend)
    }

    static func request(_ seed: UInt64, steps: Int, _ change: (inout ImageRequest) -> Void = { _ in }) -> ImageRequest {
        var request = ImageRequest(prompt: prompt, seed: seed)
        request.steps = steps
        change(&request)
        return request
    }
}
