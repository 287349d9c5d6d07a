import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

/// Z-Image and Z-Image-Turbo: Qwen3 as text encoder, a single-stream transformer, the KL autoencoder.
struct ZImageFamily: ImageFamily {
    static let name = "Z-Image"
    /// Longest prompt, tokens with its chat form; what is beyond is cut off, as the reference does.
    private static let maximumTokens = 512

    let defaults: ImageDefaults
    let vae: AutoencoderKL
    let scheduler: any NoiseScheduler
    let stores: [WeightStore]
    let tokenizer: Tokenizer
    let chat: ChatML
    let encoder: QwenTextEncoder
    let transformer: ZImageTransformer

    static func load(_ checkpoint: Checkpoint) throws -> ZImageFamily {
        let textConfig = try QwenTextEncoder.config(checkpoint)
        // The states before the last layer.
        let deepest = textConfig.num_hidden_layers - 1
        let config: ZImageConfig = try checkpoint.config("transformer")
        let vaeConfig: AutoencoderKL.Config = try checkpoint.config("vae")
        try config.check()
        guard textConfig.hidden_size == config.cap_feat_dim, vaeConfig.latent_channels == config.in_channels else {
            let text = "text states of \(textConfig.hidden_size) for \(config.cap_feat_dim)"
            let latents = "\(vaeConfig.latent_channels) latent channels for \(config.in_channels)"
            throw DiffusionError.checkpoint(path: checkpoint.path, reason: "its components do not fit together: \(text), \(latents)")
        }
        let tokenizer = try checkpoint.tokenizer()
        let chat = try checkpoint.chat()
        let scheduler = try NoiseSchedulers.load(checkpoint, for: .even(tokens: 1))
        let text = try checkpoint.weights("text_encoder") { QwenTextEncoder.adjust(&$0, textConfig, deepest: deepest) }
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
        let variant = try ZImageVariant(checkpoint, scheduler: (scheduler as? FlowMatchEuler)?.config)
        let (modelDefaults, options) = (try checkpoint.modelDefaults(), checkpoint.options)
        return ZImageFamily(
            defaults: ImageDefaults(
                width: modelDefaults.width ?? side, height: modelDefaults.height ?? side,
                steps: options.steps ?? modelDefaults.steps ?? variant.steps,
                guidanceScale: options.guidanceScale ?? modelDefaults.guidance_scale ?? variant.guidanceScale,
                strength: modelDefaults.strength ?? 0.6, multiple: multiple),
            vae: vae, scheduler: scheduler, stores: [text, denoiser, pictures], tokenizer: tokenizer, chat: chat,
            encoder: try QwenTextEncoder(textConfig, .qwen3, text, deepest: deepest),
            transformer: try ZImageTransformer(config, denoiser, precision: checkpoint.options.precision))
    }

    var adaptable: [WeightStore] { [stores[1]] }

    func order(_ name: String, _ outputs: Int) -> [Int]? { ZImageBlock.order(name, outputs, head: transformer.config.head) }

    /// The publisher's names, which adapters have that were made with its code or with ComfyUI's.
    func alias(_ module: String) -> String? {
        let pairs = [("all_x_embedder.2-1", "x_embedder"), ("all_final_layer.2-1", "final_layer"), ("attention.to_out.0", "attention.out")]
        return pairs.first { module.contains($0.0) }.map { module.replacing($0.0, with: $0.1) }
    }

    /// Queries, keys and values have one name.
    func fused(_ module: String) -> FusedName? {
        guard let part = ["q", "k", "v"].firstIndex(where: { module.hasSuffix(".attention.to_\($0)") }) else { return nil }
        return FusedName(name: module.dropLast("to_q".count) + "qkv", part: part)
    }

    func tokenize(_ prompt: String) throws -> [Int] { Array(tokenizer.encode(chat.prompt(prompt)).prefix(Self.maximumTokens)) }

    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor { try transformer.caption(graph, states(graph, tokens: tokens)) }

    /// What the text encoder says before its last layer, `[features, tokens]`.
    func states(_ graph: Graph, tokens: [Int]) throws -> Tensor {
        try encoder.states(graph, TextInput(tokens), layers: [encoder.config.num_hidden_layers - 1])[0]
    }

    func plan(_ request: ImageRequest, _ context: PlanningContext) throws -> DenoisingPlan {
        let settings = try ImageSettings(request, defaults, vae)
        let rescaling: Guidance.Rescaling = request.guidanceNormalization > 0 ? .bounded(request.guidanceNormalization) : .none
        let guidance = Guidance(scale: settings.guidanceScale, rescaling: rescaling, truncation: request.guidanceTruncation)
        let prompts = try ([request.prompt] + (guidance.needsNegative ? [request.negativePrompt ?? ""] : [])).map { try tokenize($0) }
        let shape = settings.shape
        try check(shape, tokens: prompts.map(\.count).max() ?? 0)
        let tokens = (shape.width / transformer.config.patch) * (shape.height / transformer.config.patch)
        return try ImageRecipe(
            settings: settings, autoencoder: vae, schedule: scheduler.schedule(steps: settings.steps, .even(tokens: tokens)),
            guidance: guidance, prompts: prompts,
            pictureTokens: tokens, strength: defaults.strength, encode: { try condition($0, tokens: $1) },
            predict: { try velocity($0, $1, shape, progress: $2) }, unpack: { unpack($0, shape) }
        ).plan(context)
    }

    func decode(_ plan: DenoisingPlan, _ latents: [Float], sample: Int, _ run: PipelineRun) throws {
        try vae.decode(plan, LatentLayout.planes.plane(latents, plan.shape), sample: sample, run)
    }

    /// The velocities `noise − picture` as the transformer lays them out, one after the other.
    func velocity(_ graph: Graph, _ requests: [PredictionRequest], _ shape: LatentShape, progress: Float) throws -> Tensor {
        let patch = transformer.config.patch
        let (columns, rows) = (shape.width / patch, shape.height / patch)
        let patches = try graph.input(
            [patch * patch * shape.channels, columns * rows * requests.count],
            requests.flatMap { request in
                transformer.patches(LatentLayout.planes.plane(request.latents, shape))
            })
        let captions = try requests.map { request in
            ZImageCaption(states: try graph.input(request.condition.shape, request.condition.values), tokens: request.condition.tokens)
        }
        let velocity = try transformer(
            graph, patches, columns: columns, rows: rows, time: transformer.time(graph, progress), captions: captions)
        // The transformer predicts picture − noise.
        return try graph.scale(velocity, by: -1)
    }

    func unpack(_ values: [Float], _ shape: LatentShape) -> [Float] {
        transformer.latents(values, width: shape.width, height: shape.height).values
    }

    /// Throws for a picture that the transformer has no positions for.
    private func check(_ shape: LatentShape, tokens: Int) throws {
        let (config, patch) = (transformer.config, transformer.config.patch)
        let limit = config.axes_lens
        guard shape.height / patch <= limit[1], shape.width / patch <= limit[2] else {
            let pixels = vae.scale * patch
            throw ImageModelError.invalid(parameter: "size", reason: "may be at most \(limit[2] * pixels)x\(limit[1] * pixels)")
        }
        guard ZImageConfig.padded(tokens) + 1 < limit[0] else {
            throw ImageModelError.invalid(
                parameter: "prompt", reason: "has \(tokens) tokens; the model takes up to \(limit[0] - 2 - ZImageConfig.multiple)")
        }
    }
}
