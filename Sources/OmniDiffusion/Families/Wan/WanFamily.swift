import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

/// Wan 2.1 and 2.2: UMT5 as text encoder, one transformer or two experts, a causal 3D autoencoder.
struct WanFamily: VideoFamily {
    static let name = "Wan"

    /// How a picture to start from reaches the transformer.
    enum Start: Sendable {
        /// It cannot.
        case none
        /// As further channels: a mask and latents of the video with nothing after the picture.
        case channels
        /// In place of the first frame, which has the time of a finished one.
        case frame
    }

    let defaults: VideoDefaults
    let vae: CausalAutoencoder
    let scheduler: any NoiseScheduler
    let boundaryRatio: Float?
    let stores: [WeightStore]
    let startKind: Start
    let tokenizer: Tokenizer
    let encoder: UMT5Encoder
    /// For much noise, and for little where there are two.
    let transformers: [WanTransformer]
    /// Looks at the picture, for transformers that take it so besides.
    let eye: CLIPVisionEncoder?

    var transformer: WanTransformer { transformers[0] }
    var adaptable: [WeightStore] { Array(stores[1...transformers.count]) }

    func order(_ name: String, _ outputs: Int) -> [Int]? { WanBlock.order(name, outputs, head: transformer.config.head) }

    /// The name in Wan's own code, which most adapters were made with.
    func alias(_ module: String) -> String? {
        Self.ownNames.reduce(module) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    private static let ownNames = [
        ("attn1.", "self_attn."), ("attn2.", "cross_attn."), (".to_out.0", ".o"), (".to_q", ".q"), (".to_k", ".k"), (".to_v", ".v"),
        ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"), ("condition_embedder.time_proj", "time_projection.1"),
        ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
        ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
        ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
        ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
        ("proj_out", "head.head"),
    ]

    func tokenize(_ prompt: String) throws -> [Int] { tokenizer.encode(PromptCleaning.clean(prompt), limit: WanTransformer.textPlaces) }

    func decode(_ plan: DenoisingPlan, _ latents: [Float], sample: Int, _ run: PipelineRun) throws {
        let (shape, count) = (plan.shape, vae.frames(latents: plan.shape.frames))
        let latents = try vae.denormalized(VideoLatents(checked: shape.dimensions, latents))
        try vae.decode(run.executor, run.scope, latents, tiling: plan.tilesDecode ? VideoTiling() : nil) { index, frame in
            guard frame.values.allSatisfy(\.isFinite) else {
                throw ImageModelError.notFinite(stage: "decoding", cause: "the autoencoder's frame")
            }
            try run.emit(.frame(sample: sample, index: index, count: count, frame))
            try run.progress(.decode, index + 1, of: count)
        }
    }
}
