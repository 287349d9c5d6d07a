import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

extension WanFamily {
    /// The fields of `model_index.json` that say how the parts play together.
    private struct Index: Decodable {
        let boundary_ratio: Float?
        let expand_timesteps: Bool?
    }

    static func load(_ checkpoint: Checkpoint) throws -> WanFamily {
        let index: Index = try checkpoint.index()
        let tokenizer = try checkpoint.tokenizer()
        let scheduler = try NoiseSchedulers.load(checkpoint, for: .own(shift: nil))
        let vaeConfig: CausalAutoencoder.Config = try checkpoint.config("vae")
        let components = ["transformer", "transformer_2"].filter { $0 == "transformer" || checkpoint.has($0) }
        let configs: [WanConfig] = try components.map { try checkpoint.config($0) }
        let start = try start(configs[0], vaeConfig, expands: index.expand_timesteps ?? false)
        let textConfig: UMT5Encoder.Config = try checkpoint.config("text_encoder")
        guard
            configs.allSatisfy({
                $0.interface == configs[0].interface && $0.outputs == vaeConfig.z_dim && $0.text_dim == textConfig.d_model
            })
        else {
            throw DiffusionError.checkpoint(path: checkpoint.path, reason: "its components do not fit together")
        }
        let (encoder, text) = try encoder(checkpoint)
        let denoisers = try components.map { try transformer(checkpoint, $0) }
        let eye = try configs[0].image_dim.map { try Self.eye(checkpoint, $0) }
        let rounds = checkpoint.options.rounding == .fast
        let videos = try checkpoint.weights("vae") { CausalAutoencoder.adjust(&$0, encodes: start != .none, rounds: rounds) }
        var stores = [text] + denoisers.map(\.1) + [videos]
        if let eye { stores.append(eye.1) }
        return WanFamily(
            defaults: try defaults(checkpoint, configs[0], vaeConfig, start),
            vae: try CausalAutoencoder(vaeConfig, videos, encodes: start != .none),
            scheduler: scheduler, boundaryRatio: components.count > 1 ? index.boundary_ratio : nil, stores: stores,
            startKind: start, tokenizer: tokenizer, encoder: encoder, transformers: denoisers.map(\.0), eye: eye?.0)
    }

    private static func start(_ config: WanConfig, _ vae: CausalAutoencoder.Config, expands: Bool) throws -> Start {
        let sees = config.image_dim != nil
        guard sees == (config.added_kv_proj_dim != nil),
            !sees || (config.added_kv_proj_dim == config.dim && config.pos_embed_seq_len == nil)
        else {
            throw DiffusionError.unsupported(
                "a Wan transformer that sees pictures of \(config.image_dim ?? 0) as \(config.added_kv_proj_dim ?? 0)")
        }
        switch config.in_channels {
        case vae.z_dim: return expands ? .frame : .none
        case 2 * vae.z_dim + vae.frameScale: return .channels
        default: throw DiffusionError.unsupported("a Wan transformer of \(config.in_channels) channels for \(vae.z_dim) of latents")
        }
    }

    private static func defaults(_ checkpoint: Checkpoint, _ config: WanConfig, _ vae: CausalAutoencoder.Config, _ start: Start) throws
        -> VideoDefaults
    {
        let (modelDefaults, options) = (try checkpoint.modelDefaults(), checkpoint.options)
        // TI2V-5B of Wan 2.2 was made for 24 frames a second, its relatives for 16.
        let (width, height, frames, fps) = start == .frame ? (1280, 704, 121, 24.0) : (832, 480, 81, 16.0)
        let multiple = vae.scale * max(config.patch_size[1], config.patch_size[2])
        return VideoDefaults(
            width: modelDefaults.width ?? width, height: modelDefaults.height ?? height, frames: modelDefaults.frames ?? frames,
            fps: modelDefaults.fps ?? fps,
            steps: options.steps ?? modelDefaults.steps ?? 50, guidanceScale: options.guidanceScale ?? modelDefaults.guidance_scale ?? 5,
            multiple: multiple, frameMultiple: vae.frameScale, startsFromPicture: start != .none, needsPicture: start == .channels,
            longestSide: config.longestAxis * multiple, mostFrames: 1 + (config.longestAxis - 1) * vae.frameScale)
    }

    static func eye(_ checkpoint: Checkpoint, _ features: Int) throws -> (CLIPVisionEncoder, WeightStore) {
        let config: CLIPVisionEncoder.Config = try checkpoint.config("image_encoder")
        guard config.hidden_size == features else {
            throw DiffusionError.checkpoint(
                path: checkpoint.path, reason: "its image_encoder has \(config.hidden_size) features, its transformer wants \(features)")
        }
        let store = try checkpoint.weights("image_encoder") { weights in
            weights.select = { CLIPVisionEncoder.uses($0, layers: config.num_hidden_layers) }
            weights.packsKernels = true
        }
        return (try CLIPVisionEncoder(config, CLIPPictureProcessor(checkpoint), store), store)
    }

    static func encoder(_ checkpoint: Checkpoint) throws -> (UMT5Encoder, WeightStore) {
        let config: UMT5Encoder.Config = try checkpoint.config("text_encoder")
        let store = try checkpoint.weights("text_encoder") { weights in
            weights.keep = { UMT5Encoder.isTable($0) }
            weights.sparse = { UMT5Encoder.isEmbedding($0) }
        }
        return (try UMT5Encoder(config, store, precision: checkpoint.options.precision), store)
    }

    static func transformer(_ checkpoint: Checkpoint, _ component: String) throws -> (WanTransformer, WeightStore) {
        let config: WanConfig = try checkpoint.config(component)
        try config.check()
        let store = try checkpoint.weights(component) { weights in
            let head = config.head
            weights.order = { WanBlock.order($0, $1, head: head) }
            weights.keep = { WanTransformer.keeps($0) }
            // Both experts are told apart by the folder; a quantization of the one is meant for both.
            weights.quantization = weights.quantization ?? checkpoint.options.quantization["transformer"]
        }
        return (try WanTransformer(config, store, precision: checkpoint.options.precision), store)
    }
}
