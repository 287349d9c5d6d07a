import ArgumentParser
import OmniAPI
import OmniServer

/// Flags of the engines: the gateway takes them and hands them on to its workers.
struct EngineFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Longest prompt and answer together, tokens.", valueName: "tokens"))
    var maxModelLen: Int?

    @Option(help: ArgumentHelp("Answers computed at once.", valueName: "count"))
    var maxNumSeqs: Int?

    @Option(help: ArgumentHelp("Requests that may wait for a place; more get 503.", valueName: "count"))
    var maxQueue: Int?

    @Option(help: ArgumentHelp("Most prompt tokens in one step.", valueName: "tokens"))
    var maxNumBatchedTokens: Int?

    @Option(help: ArgumentHelp("Memory for keys and values of all answers; an eighth of the machine's, at most 1 GiB, by default.", valueName: "bytes"))
    var kvCacheMemoryBytes: Int?

    @Option(help: ArgumentHelp("Cores to compute on; all by default.", valueName: "count"))
    var threads: Int?

    @Option(help: ArgumentHelp("Layers on a GPU; all by default.", valueName: "count"))
    var gpuLayers: Int?

    @Option(help: ArgumentHelp("A Jinja template, or a file with one, in place of the model's own.", valueName: "template"))
    var chatTemplate: String?

    @Option(help: ArgumentHelp(
        "Defaults for sampling: auto takes the model's generation_config.json or metadata, vllm none; or a folder with such a file.", valueName: "folder"))
    var generationConfig: String?

    @Option(help: ArgumentHelp("Defaults for sampling that go before those, such as '{\"temperature\": 0.5}'.", valueName: "json"))
    var overrideGenerationConfig: String?

    @Option(help: ArgumentHelp("Largest picture, sound or film in a prompt, bytes.", valueName: "bytes"))
    var limitMmBytes: Int?

    @Option(help: ArgumentHelp("Most pixels of a picture in a prompt.", valueName: "pixels"))
    var limitMmPixels: Int?

    @Option(help: ArgumentHelp("Longest sound or film in a prompt.", valueName: "seconds"))
    var limitMmSeconds: Double?

    @Option(help: ArgumentHelp("Most pictures, sounds and films in one conversation.", valueName: "count"))
    var limitMmPerPrompt: Int?

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Hosts that media in prompts may be fetched from, private ones too; all public ones by default.", valueName: "host"))
    var allowedMediaDomains: [String] = []

    @Option(help: ArgumentHelp("Most pixels of a picture to be drawn; 33177600 by default.", valueName: "pixels"))
    var maxGeneratedImageSize: Int?

    @Option(help: ArgumentHelp("Most working memory of a request for pictures, bytes; what the machine has free by default.", valueName: "bytes"))
    var maxImageMemory: Int?

    @Option(help: ArgumentHelp("Threads that read weights; 4 by default.", valueName: "count"))
    var numWeightLoadThreads: Int?

    @Flag(help: "Read weights with one thread.")
    var disableMultithreadWeightLoad = false

    @Option(help: ArgumentHelp("Store the matrices of an image model as q8_0, q6_k, q5_k or q4_k; fp8 and int8 mean q8_0.", valueName: "type"))
    var quantization: String?

    @Option(help: ArgumentHelp("How image and video models compute: bfloat16, float16 and half round on the way, which is faster; auto and float32 do not.", valueName: "type"))
    var dtype: NumberType?

    @Option(help: ArgumentHelp("Step cache of an image model: none, or tea_cache, which leaves out steps that would change little.", valueName: "name"))
    var cacheBackend: String?

    @Option(help: ArgumentHelp("The folder that requests may name LoRA adapters in; none by default.", valueName: "folder"))
    var allowedLoraPath: String?

    @Flag(help: "Decode pictures in tiles, which takes less memory; by default where they would not fit otherwise.")
    var vaeUseTiling = false

    @Flag(help: "Decode the pictures of a request one by one, which is always done.")
    var vaeUseSlicing = false

    func validate() throws {
        for (name, value) in numbers where (value ?? 1) < 1 && name != "--gpu-layers" && name != "--max-queue" {
            throw ValidationError("\(name) must be at least 1.")
        }
        if let maxQueue, maxQueue < 0 { throw ValidationError("--max-queue must be at least 0.") }
        _ = try samplingOverride
        if let gpuLayers, gpuLayers < 0 { throw ValidationError("--gpu-layers must be at least 0.") }
    }

    private var numbers: [(String, Int?)] {
        [
            ("--max-model-len", maxModelLen), ("--max-num-seqs", maxNumSeqs), ("--max-queue", maxQueue), ("--max-num-batched-tokens", maxNumBatchedTokens),
            ("--kv-cache-memory-bytes", kvCacheMemoryBytes), ("--threads", threads), ("--gpu-layers", gpuLayers), ("--limit-mm-bytes", limitMmBytes), ("--limit-mm-pixels", limitMmPixels),
            ("--limit-mm-per-prompt", limitMmPerPrompt), ("--max-generated-image-size", maxGeneratedImageSize),
            ("--max-image-memory", maxImageMemory), ("--num-weight-load-threads", numWeightLoadThreads),
        ]
    }

    /// The flags as a worker's command line.
    var arguments: [String] {
        var list = numbers.flatMap { name, value in value.map { [name, String($0)] } ?? [] }
        if let limitMmSeconds { list += ["--limit-mm-seconds", String(limitMmSeconds)] }
        if let chatTemplate { list += ["--chat-template", chatTemplate] }
        if let generationConfig { list += ["--generation-config", generationConfig] }
        if let overrideGenerationConfig { list += ["--override-generation-config", overrideGenerationConfig] }
        if disableMultithreadWeightLoad { list.append("--disable-multithread-weight-load") }
        if let quantization { list += ["--quantization", quantization] }
        if let dtype { list += ["--dtype", dtype.rawValue] }
        if let cacheBackend { list += ["--cache-backend", cacheBackend] }
        if let allowedLoraPath { list += ["--allowed-lora-path", allowedLoraPath] }
        if vaeUseTiling { list.append("--vae-use-tiling") }
        if !allowedMediaDomains.isEmpty { list += ["--allowed-media-domains"] + allowedMediaDomains }
        return list
    }
}

extension EngineFlags {
    /// vLLM's names of what a model computes with.
    enum NumberType: String, CaseIterable, ExpressibleByArgument {
        case auto, bfloat16, float16, half, float32, float

        var isHalf: Bool { [.bfloat16, .float16, .half].contains(self) }
    }

    /// What `--override-generation-config` says. Members that have nothing to do with sampling are passed over, as in vLLM.
    var samplingOverride: GenerationConfig {
        get throws {
            guard let overrideGenerationConfig else { return GenerationConfig() }
            do {
                return try GenerationConfig(json: try JSONValue.parse(overrideGenerationConfig), at: .root("--override-generation-config"))
            } catch {
                throw ValidationError("--override-generation-config is not a JSON object of sampling parameters: \((error as? APIError)?.message ?? "\(error)")")
            }
        }
    }

    /// Limits on the pictures of requests, for the gateway and for its workers.
    var imageLimits: ImageRequestLimits {
        var limits = ImageRequestLimits()
        limits.drawnPixels = maxGeneratedImageSize ?? limits.drawnPixels
        limits.inputBytes = limitMmBytes ?? limits.inputBytes
        limits.inputPixels = limitMmPixels ?? limits.inputPixels
        limits.queue = maxQueue ?? limits.queue
        limits.adapterFolder = allowedLoraPath
        limits.cacheThreshold = cacheBackend == "tea_cache" ? 0.2 : 0
        return limits
    }
}
