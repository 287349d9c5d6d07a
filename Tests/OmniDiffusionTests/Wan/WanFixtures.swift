import Foundation

@testable import OmniDiffusion
@testable import OmniTensor
@testable import OmniTokenizer

/// Parts of the tiny checkpoints that Tools/goldens/wan.py wrote.
struct WanFixtures {
    static let root =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        + "/Fixtures/wan"
    static let prompt = "A red fox runs over the hill, it's 1889"
    static let negative = "blurred details, 过曝"

    let goldens: Goldens
    let executor: Executor
    let tokenizer: Tokenizer
    let encoder: UMT5Encoder
    let transformer: WanTransformer

    init(_ name: String) throws {
        let backend = try Backend(threads: 2, useGPU: false)
        let checkpoint = try Checkpoint(.folder("\(Self.root)/\(name)"), backend: backend, options: DiffusionOptions()) { _ in }
        goldens = try Goldens("\(name).goldens", in: Self.root)
        executor = try Executor(backend)
        tokenizer = try Tokenizer(path: "\(checkpoint.path)/tokenizer/tokenizer.json")
        encoder = try WanFamily.encoder(checkpoint).0
        transformer = try WanFamily.transformer(checkpoint, "transformer").0
    }

    func evaluate(_ build: (Graph) throws -> Tensor) throws -> [Float] { try executor.evaluate(ComputeScope()) { [try build($0)] }[0] }

    /// A prompt as the denoiser takes it, from the goldens.
    func condition(_ name: String = "text.states") throws -> Condition {
        let shape = try goldens.shape(name)
        return Condition(values: try goldens[name], tokens: shape[1], shape: shape)
    }

    /// What CLIP sees, for the model that takes it.
    func seen() throws -> WanInput.Picture? {
        guard goldens.entries["clip.states"] != nil else { return nil }
        return WanInput.Picture(shape: Array(try goldens.shape("clip.states").prefix(2)), values: try goldens["clip.states"])
    }

    /// `[channels, frames, height, width]`.
    func latentShape(_ name: String) throws -> [Int] { Array(try goldens.shape(name).prefix(4).reversed()) }
}
