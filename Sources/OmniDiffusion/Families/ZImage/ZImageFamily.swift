import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

/// Z-Image and Z-Image-Turbo: Qwen3 as text encoder, a single-stream transformer, the KL autoencoder.
struct ZImageFamily: DiffusionFamily {
    static let pipelineClass = "ZImagePipeline"
    /// Longest prompt, tokens with its chat form; what is beyond is cut off, as the reference does.
    private static let maximumTokens = 512

    let defaults: ImageDefaults
    let vae: AutoencoderKL
    let scheduler: FlowMatchEuler
    let stores: [WeightStore]
    let tokenizer: Tokenizer
    let chat: ChatML
    let encoder: Qwen3Encoder
    let transformer: ZImageTransformer

    static func load(_ checkpoint: Checkpoint) throws -> any DiffusionFamily {
        let textConfig: Qwen3Encoder.Config = try checkpoint.config("text_encoder")
        let config: ZImageConfig = try checkpoint.config("transformer")
        let vaeConfig: AutoencoderKL.Config = try checkpoint.config("vae")
        try config.check()
        guard textConfig.hidden_size == config.cap_feat_dim, vaeConfig.latent_channels == config.in_channels else {
            let text = "text states of \(textConfig.hidden_size) for \(config.cap_feat_dim)"
            let latents = "\(vaeConfig.latent_channels) latent channels for \(config.in_channels)"
            throw DiffusionError.checkpoint(path: checkpoint.folder, reason: "its components do not fit together: \(text), \(latents)")
        }
        let tokenizer = try Tokenizer(path: "\(checkpoint.folder)/tokenizer/tokenizer.json")
        let chat = try ChatML(tokenizer: "\(checkpoint.folder)/tokenizer")
        let scheduler = try FlowMatchEuler(checkpoint.config("scheduler", file: "scheduler_config.json"))
        let text = try checkpoint.weights("text_encoder") { weights in
            let layers = textConfig.num_hidden_layers
            weights.select = { Qwen3Encoder.uses($0, layers: layers) }
            weights.keep = { $0.hasSuffix("embed_tokens.weight") }
            weights.sparse = weights.keep
        }
        let denoiser = try checkpoint.weights("transformer") { weights in
            let head = config.head
            weights.order = { ZImageBlock.order($0, $1, head: head) }
            weights.keep = { name in ["all_x_embedder", "all_final_layer", "t_embedder", "cap_embedder"].contains { name.hasPrefix($0) } }
        }
        let pictures = try checkpoint.weights("vae") { weights in
            weights.packsKernels = true
            weights.roundsKernels = checkpoint.options.rounding == .fast
        }
        let vae = try AutoencoderKL(vaeConfig, pictures, precision: .exact)
        let multiple = vaeConfig.scale * config.patch
        let side = max(multiple, min(vaeConfig.sample_size ?? 1024, 1024) / multiple * multiple)
        let turbo = checkpoint.folder.lowercased().contains("turbo")
        let (wishes, options) = (try checkpoint.wishes(), checkpoint.options)
        return ZImageFamily(
            defaults: ImageDefaults(
                width: wishes.width ?? side, height: wishes.height ?? side, steps: options.steps ?? wishes.steps ?? (turbo ? 8 : 50),
                guidanceScale: options.guidanceScale ?? wishes.guidance_scale ?? (turbo ? 0 : 5), strength: wishes.strength ?? 0.6, multiple: multiple),
            vae: vae, scheduler: scheduler, stores: [text, denoiser, pictures], tokenizer: tokenizer, chat: chat,
            encoder: try Qwen3Encoder(textConfig, text), transformer: try ZImageTransformer(config, denoiser, precision: checkpoint.options.precision))
    }

    var adaptable: WeightStore { stores[1] }

    func order(_ name: String, _ outputs: Int) -> [Int]? { ZImageBlock.order(name, outputs, head: transformer.config.head) }

    func tokenize(_ prompt: String) throws -> [Int] { Array(tokenizer.encode(chat.prompt(prompt)).prefix(Self.maximumTokens)) }

    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor { try transformer.caption(graph, encoder.states(graph, ids: tokens)) }

    func pictureTokens(_ latents: Plane) -> Int { (latents.width / 2) * (latents.height / 2) }

    func velocity(_ graph: Graph, _ latents: Plane, progress: Float, condition: Condition) throws -> Tensor {
        let patch = transformer.config.patch
        let (columns, rows) = (latents.width / patch, latents.height / patch)
        let patches = try graph.input([patch * patch * latents.channels, columns * rows], transformer.patches(latents))
        let caption = try graph.input(condition.shape, condition.values)
        let velocity = try transformer(
            graph, patches, columns: columns, rows: rows, time: transformer.time(graph, progress), caption: caption, captionTokens: condition.tokens)
        // The transformer predicts picture − noise.
        return try graph.scale(velocity, by: -1)
    }

    func unpack(_ values: [Float], like latents: Plane) -> Plane { transformer.latents(values, width: latents.width, height: latents.height) }

    func check(_ latents: Plane, tokens: Int) throws {
        let (config, patch) = (transformer.config, transformer.config.patch)
        let limit = config.axes_lens
        guard latents.height / patch <= limit[1], latents.width / patch <= limit[2] else {
            let pixels = vae.config.scale * patch
            throw ImageModelError.invalid(parameter: "size", reason: "may be at most \(limit[2] * pixels)x\(limit[1] * pixels)")
        }
        guard ZImageConfig.padded(tokens) + 1 < limit[0] else {
            throw ImageModelError.invalid(parameter: "prompt", reason: "has \(tokens) tokens; the model takes up to \(limit[0] - 2 - ZImageConfig.multiple)")
        }
    }
}
