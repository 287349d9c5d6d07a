import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

/// FLUX.2 klein: three layers of Qwen3 as text states, double and single blocks, the KL autoencoder with latents in patches. Pictures to
/// change or to look at go through the blocks beside the one that is drawn.
struct Flux2KleinFamily: ImageFamily {
    static let name = "FLUX.2 klein"
    /// Layers whose states are laid side by side.
    private static let layers = [9, 18, 27]
    /// Tokens of every prompt: shorter ones are padded, what is beyond is cut off.
    private static let promptTokens = 512
    /// The publisher's limit on references; smaller or longer pictures the reference pipeline refuses.
    private static let references = ReferenceLimits(count: 4, pixels: 1024 * 1024, shortestSide: 64, aspectRatio: 8)

    let defaults: ImageDefaults
    let vae: PatchedAutoencoder
    let scheduler: any NoiseScheduler
    let stores: [WeightStore]
    let tokenizer: Tokenizer
    let chat: ChatML
    let padding: Int
    let encoder: QwenTextEncoder
    let transformer: Flux2KleinTransformer
    /// Trained to draw in a few steps, without guidance.
    let isDistilled: Bool

    static func load(_ checkpoint: Checkpoint) throws -> Flux2KleinFamily {
        struct Index: Decodable { let is_distilled: Bool? }
        let index: Index = try checkpoint.index()
        let textConfig = try QwenTextEncoder.config(checkpoint)
        let config: Flux2KleinConfig = try checkpoint.config("transformer")
        let vaeConfig: AutoencoderKL.Config = try checkpoint.config("vae")
        try config.check()
        let (width, channels) = (layers.count * textConfig.hidden_size, try PatchedAutoencoder.latentChannels(vaeConfig))
        guard width == config.joint_attention_dim, channels == config.in_channels else {
            let text = "text states of \(width) for \(config.joint_attention_dim)"
            let latents = "\(channels) latent channels for \(config.in_channels)"
            throw DiffusionError.checkpoint(path: checkpoint.path, reason: "its components do not fit together: \(text), \(latents)")
        }
        let scheduler = try NoiseSchedulers.load(checkpoint, for: .evenShifted(mu: 1))
        let tokenizer = try checkpoint.tokenizer()
        let chat = try checkpoint.chat()
        let padding = try checkpoint.id(of: "<|endoftext|>", in: tokenizer)
        let deepest = layers[layers.count - 1]
        let text = try checkpoint.weights("text_encoder") { QwenTextEncoder.adjust(&$0, textConfig, deepest: deepest) }
        let denoiser = try checkpoint.weights("transformer") { weights in
            weights.order = { Flux2KleinTransformer.order($0, $1, config) }
            weights.keep = { Flux2KleinTransformer.keeps($0) }
        }
        let pictures = try checkpoint.weights("vae") { PatchedAutoencoder.adjust(&$0, rounds: checkpoint.options.rounding == .fast) }
        let vae = try PatchedAutoencoder(vaeConfig, pictures, precision: .exact)
        let isDistilled = index.is_distilled ?? false
        return Flux2KleinFamily(
            defaults: try defaults(checkpoint, vae, isDistilled: isDistilled), vae: vae, scheduler: scheduler,
            stores: [text, denoiser, pictures], tokenizer: tokenizer, chat: chat, padding: padding,
            encoder: try QwenTextEncoder(textConfig, .qwen3, text, deepest: deepest),
            transformer: try Flux2KleinTransformer(config, denoiser, precision: checkpoint.options.precision), isDistilled: isDistilled)
    }

    private static func defaults(_ checkpoint: Checkpoint, _ vae: PatchedAutoencoder, isDistilled: Bool) throws -> ImageDefaults {
        let (own, options, side) = (try checkpoint.modelDefaults(), checkpoint.options, 128 * vae.inner.scale)
        // A picture that is left whole is one that is looked at.
        return ImageDefaults(
            width: own.width ?? side, height: own.height ?? side, steps: options.steps ?? own.steps ?? (isDistilled ? 4 : 50),
            guidanceScale: options.guidanceScale ?? own.guidance_scale ?? (isDistilled ? 1 : 4), strength: own.strength ?? 1,
            multiple: vae.scale, references: references, takesGuidance: !isDistilled)
    }

    var adaptable: [WeightStore] { [stores[1]] }

    func order(_ name: String, _ outputs: Int) -> [Int]? { Flux2KleinTransformer.order(name, outputs, transformer.config) }

    func alias(_ module: String) -> String? { Flux2KleinNames.alias(module) }

    func fused(_ module: String) -> FusedName? { Flux2KleinNames.fused(module) }

    func tokenize(_ prompt: String) -> [Int] { Array(tokenizer.encode(chat.prompt(prompt, thinks: false)).prefix(Self.promptTokens)) }

    /// What the transformer sees of a prompt, `[dim, 512]`.
    func condition(_ graph: Graph, tokens: [Int]) throws -> Tensor { try transformer.text(graph, states(graph, tokens: tokens)) }

    /// The text encoder's states of the prompt and the padding behind it, `[joint_attention_dim, 512]`.
    func states(_ graph: Graph, tokens: [Int]) throws -> Tensor {
        let input = TextInput(tokens, paddedTo: Self.promptTokens, with: padding)
        return try graph.concat(encoder.states(graph, input, layers: Self.layers), axis: 0)
    }

    func plan(_ request: ImageRequest, _ context: PlanningContext) throws -> DenoisingPlan {
        let settings = try ImageSettings(request, defaults, vae)
        let guidance = Guidance(scale: isDistilled ? 0 : settings.guidanceScale - 1, truncation: request.guidanceTruncation)
        let prompts = ([request.prompt] + (guidance.needsNegative ? [request.negativePrompt ?? ""] : [])).map { tokenize($0) }
        let picture = area(settings.width, settings.height)
        let references = settings.references.map { area($0.width, $0.height) }
        let mu = Self.mu(tokens: picture.count, steps: settings.steps)
        return try ImageRecipe(
            settings: settings, autoencoder: vae, schedule: scheduler.schedule(steps: settings.steps, .evenShifted(mu: mu)),
            guidance: guidance, prompts: prompts, pictureTokens: picture.count, strength: defaults.strength, layout: .patches(1),
            encoding: .mean, masking: .bilinear,
            encode: { try condition($0, tokens: $1) },
            predict: { try velocity($0, $1, picture, references, time: 1000 * (1 - $2)) }
        ).plan(context)
    }

    func decode(_ plan: DenoisingPlan, _ latents: [Float], sample: Int, _ run: PipelineRun) throws {
        try vae.decode(plan, LatentLayout.patches(1).plane(latents, plan.shape), sample: sample, run)
    }

    func velocity(
        _ graph: Graph, _ requests: [PredictionRequest], _ picture: Flux2KleinSequence.Area, _ references: [Flux2KleinSequence.Area],
        time: Float
    ) throws -> Tensor {
        let texts = try requests.map { try graph.input($0.condition.shape, $0.condition.values) }
        let sequence = Flux2KleinSequence(picture: picture, references: references, texts: texts.map { $0[1] })
        let patches = try graph.input(
            [transformer.config.in_channels, sequence.seen * requests.count], requests.flatMap { $0.latents + $0.references })
        return try transformer(graph, patches, sequence, time: time, texts: texts)
    }

    private func area(_ width: Int, _ height: Int) -> Flux2KleinSequence.Area {
        .init(columns: width / vae.scale, rows: height / vae.scale)
    }

    /// How far noise levels are shifted: two lines over a picture's tokens, one as measured at 10 steps and one at 200; between and beyond
    /// goes a line over the steps, for large pictures the second alone.
    static func mu(tokens: Int, steps: Int) -> Double {
        let (few, many) = (8.73809524e-05 * Double(tokens) + 1.89833333, 0.00016927 * Double(tokens) + 0.45666666)
        guard tokens <= 4300 else { return many }
        let slope = (many - few) / 190
        return slope * Double(steps) + (many - 200 * slope)
    }
}
