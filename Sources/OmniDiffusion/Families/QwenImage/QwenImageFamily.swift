import OmniEngine
import OmniTensor
import OmniTokenizer

/// Qwen-Image: Qwen2.5-VL's text model as text encoder, a double-stream transformer, the causal autoencoder with one frame.
struct QwenImageFamily: ImageFamily {
    static let name = "Qwen-Image"
    /// What every prompt stands in, and how many tokens of it go before: their states are not shown to the transformer.
    private static let system = """
        Describe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the objects and background:
        """
    private static let systemTokens = 34
    /// Tokens behind those; what is beyond is cut off, as the reference does.
    private static let maximumTokens = 512

    let defaults: ImageDefaults
    let vae: CausalAutoencoder
    let scheduler: any NoiseScheduler
    let stores: [WeightStore]
    let tokenizer: Tokenizer
    let encoder: QwenTextEncoder
    let transformer: QwenImageTransformer

    static func load(_ checkpoint: Checkpoint) throws -> QwenImageFamily {
        let textConfig = try QwenTextEncoder.config(checkpoint)
        let config: QwenImageConfig = try checkpoint.config("transformer")
        let vaeConfig: CausalAutoencoder.Config = try checkpoint.config("vae")
        try config.check()
        guard textConfig.hidden_size == config.joint_attention_dim, vaeConfig.z_dim == config.latentChannels else {
            let text = "text states of \(textConfig.hidden_size) for \(config.joint_attention_dim)"
            let latents = "\(vaeConfig.z_dim) latent channels for \(config.latentChannels)"
            throw DiffusionError.checkpoint(path: checkpoint.path, reason: "its components do not fit together: \(text), \(latents)")
        }
        let tokenizer = try checkpoint.tokenizer()
        for token in ["<|im_start|>", "<|im_end|>"] { _ = try checkpoint.id(of: token, in: tokenizer) }
        let scheduler = try NoiseSchedulers.load(checkpoint, for: .even(tokens: 1))
        let layers = textConfig.num_hidden_layers
        let text = try checkpoint.weights("text_encoder") { QwenTextEncoder.adjust(&$0, textConfig, deepest: layers) }
        let denoiser = try checkpoint.weights("transformer") { weights in
            let head = config.head
            weights.order = { QwenImageBlock.order($0, $1, head: head) }
            weights.keep = { QwenImageTransformer.keeps($0) }
        }
        let pictures = try checkpoint.weights("vae") { CausalAutoencoder.adjust(&$0, rounds: checkpoint.options.rounding == .fast) }
        return QwenImageFamily(
            defaults: try defaults(checkpoint, multiple: vaeConfig.scale * config.patch_size, side: 128 * vaeConfig.scale),
            vae: try CausalAutoencoder(vaeConfig, pictures), scheduler: scheduler, stores: [text, denoiser, pictures], tokenizer: tokenizer,
            encoder: try QwenTextEncoder(textConfig, .qwen2, text, deepest: layers),
            transformer: try QwenImageTransformer(config, denoiser, precision: checkpoint.options.precision))
    }

    private static func defaults(_ checkpoint: Checkpoint, multiple: Int, side: Int) throws -> ImageDefaults {
        let (own, options) = (try checkpoint.modelDefaults(), checkpoint.options)
        return ImageDefaults(
            width: own.width ?? side, height: own.height ?? side, steps: options.steps ?? own.steps ?? 50,
            guidanceScale: options.guidanceScale ?? own.guidance_scale ?? 4, strength: own.strength ?? 0.6, multiple: multiple)
    }

    var adaptable: [WeightStore] { [stores[1]] }

    func order(_ name: String, _ outputs: Int) -> [Int]? { QwenImageBlock.order(name, outputs, head: transformer.config.head) }

    func tokenize(_ prompt: String) -> [Int] {
        Array(tokenizer.encode(ChatML().prompt(prompt, system: Self.system)).prefix(Self.systemTokens + Self.maximumTokens))
    }

    /// What the transformer sees of a prompt, `[dim, tokens]`.
    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor { try transformer.text(graph, states(graph, tokens: tokens)) }

    /// The text encoder's last states of the prompt itself, `[hidden, tokens]`.
    func states(_ graph: Graph, tokens: [Int]) throws -> Tensor {
        guard tokens.count > Self.systemTokens else {
            throw DiffusionError.checkpoint(
                path: "tokenizer", reason: "makes \(tokens.count) tokens of a prompt in its form, which has more than \(Self.systemTokens)")
        }
        let states = try encoder.states(graph, TextInput(tokens), layers: [encoder.config.num_hidden_layers])[0]
        return try graph.contiguous(graph.slice(states, axis: 1, Self.systemTokens..<tokens.count))
    }

    func plan(_ request: ImageRequest, _ context: PlanningContext) throws -> DenoisingPlan {
        let settings = try ImageSettings(request, defaults, vae)
        // As in the reference there is no guidance without a negative prompt, which may be empty.
        let scale = request.negativePrompt == nil ? 0 : settings.trueGuidanceScale - 1
        let guidance = Guidance(
            scale: scale, rescaling: .perToken(size: transformer.config.in_channels), truncation: request.guidanceTruncation)
        let prompts = ([request.prompt] + (guidance.needsNegative ? [request.negativePrompt ?? ""] : [])).map { tokenize($0) }
        let patch = transformer.config.patch_size
        let (columns, rows) = (settings.shape.width / patch, settings.shape.height / patch)
        try check(columns, rows, tokens: prompts.map(\.count).max() ?? 0)
        return try ImageRecipe(
            settings: settings, autoencoder: vae, schedule: scheduler.schedule(steps: settings.steps, .even(tokens: columns * rows)),
            guidance: guidance,
            prompts: prompts, pictureTokens: columns * rows, strength: defaults.strength, layout: .patches(patch),
            encode: { try condition($0, tokens: $1) },
            predict: { try velocity($0, $1, columns, rows, time: 1000 * (1 - $2)) }
        ).plan(context)
    }

    func decode(_ plan: DenoisingPlan, _ latents: [Float], sample: Int, _ run: PipelineRun) throws {
        try vae.decode(plan, LatentLayout.patches(transformer.config.patch_size).plane(latents, plan.shape), sample: sample, run)
    }

    func velocity(_ graph: Graph, _ requests: [PredictionRequest], _ columns: Int, _ rows: Int, time: Float) throws -> Tensor {
        let patches = try graph.input([transformer.config.in_channels, columns * rows * requests.count], requests.flatMap(\.latents))
        let texts = try requests.map { request in try graph.input(request.condition.shape, request.condition.values) }
        return try transformer(graph, patches, columns: columns, rows: rows, time: time, texts: texts)
    }

    /// Throws for a picture that the transformer has no positions for.
    private func check(_ columns: Int, _ rows: Int, tokens: Int) throws {
        let places = QwenImageConfig.places
        guard max(columns, rows) <= 2 * places - 1,
            QwenImagePositions.textStart(columns: columns, rows: rows) + tokens - Self.systemTokens <= places
        else {
            let side = 2 * (places - Self.maximumTokens) * defaults.multiple
            throw ImageModelError.invalid(parameter: "size", reason: "may be at most \(side)x\(side)")
        }
    }
}
