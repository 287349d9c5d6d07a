import ArgumentParser
import Foundation
import OmniAPI
import OmniEngine
import OmniRequests
import OmniText

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

    @Option(
        help: ArgumentHelp(
            "Memory for keys and values of all answers; an eighth of what the server may use, at most 1 GiB, by default.",
            valueName: "bytes"))
    var kvCacheMemoryBytes: Int?

    @Option(
        help: ArgumentHelp(
            "How long a finished answer's tokens are kept for prompts that begin alike; 600 by default, 0 keeps them until their place is needed.",
            valueName: "seconds"))
    var prefixCacheTtl: Double?

    @Option(
        help: ArgumentHelp(
            "Threads that compute; as many as cores that the server may use by default. Also OMNI_THREADS.", valueName: "count"))
    var threads: Int?

    @Option(help: ArgumentHelp("Layers on a GPU; all by default.", valueName: "count"))
    var gpuLayers: Int?

    @Option(
        help: ArgumentHelp(
            "What computes: a name of --list-devices, several apart by commas for a text model, none for the CPU; the first GPU by default.",
            valueName: "name"))
    var device: String?

    @Option(
        help: ArgumentHelp(
            "Shares of a text model's layers for the devices, apart by commas; by free memory by default.", valueName: "shares"))
    var tensorSplit: String?

    @Option(help: ArgumentHelp("A Jinja template, or a file with one, in place of the model's own.", valueName: "template"))
    var chatTemplate: String?

    @Option(
        help: ArgumentHelp(
            "Defaults for sampling: auto takes the model's generation_config.json or metadata, vllm none; or a folder with such a file.",
            valueName: "folder"))
    var generationConfig: String?

    @Option(help: ArgumentHelp("Defaults for sampling that go before those, such as '{\"temperature\": 0.5}'.", valueName: "json"))
    var overrideGenerationConfig: String?

    @Option(
        help: ArgumentHelp(
            "How next tokens are guessed, to compute several at once where that is faster: '{\"method\": \"ngram\"}', the default; "
                + "'{\"model\": \"small.gguf\", \"num_speculative_tokens\": 8}'; '{\"method\": \"none\"}'.", valueName: "json"))
    var speculativeConfig: String?

    @Option(
        help: ArgumentHelp(
            "A small model that guesses for the large one; as --speculative-config '{\"model\": …}'.", valueName: "model"))
    var modelDraft: String?

    @Option(help: ArgumentHelp("Largest picture, sound or video in a prompt, bytes.", valueName: "bytes"))
    var limitMmBytes: Int?

    @Option(help: ArgumentHelp("Most pixels of a picture in a prompt.", valueName: "pixels"))
    var limitMmPixels: Int?

    @Option(help: ArgumentHelp("Longest sound or video in a prompt.", valueName: "seconds"))
    var limitMmSeconds: Double?

    @Option(help: ArgumentHelp("Most pictures, sounds and videos in one conversation.", valueName: "count"))
    var limitMmPerPrompt: Int?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Hosts that media in prompts may be fetched from, private ones too; all public ones by default.", valueName: "host"))
    var allowedMediaDomains: [String] = []

    @Option(help: ArgumentHelp("Most pixels of a picture to be drawn; 33177600 by default.", valueName: "pixels"))
    var maxGeneratedImageSize: Int?

    @Option(
        help: ArgumentHelp(
            "Most working memory of a request for pictures, bytes; what the machine has free by default.", valueName: "bytes"))
    var maxImageMemory: Int?

    @Option(help: ArgumentHelp("Threads that read weights; 4 by default.", valueName: "count"))
    var numWeightLoadThreads: Int?

    @Flag(help: "Read weights with one thread.")
    var disableMultithreadWeightLoad = false

    @Option(
        help: ArgumentHelp(
            "Store the matrices of an image model, or of a language model's safetensors, as q8_0, q6_k, q5_k or q4_k; fp8 and int8 mean q8_0.",
            valueName: "type"))
    var quantization: String?

    @Option(
        help: ArgumentHelp(
            "How image and video models compute: bfloat16, float16 and half round on the way, which is faster; auto and float32 do not.",
            valueName: "type"))
    var dtype: NumberType?

    @Option(
        help: ArgumentHelp(
            "Step cache of an image model: none, or tea_cache, which leaves out steps that would change little.", valueName: "name"))
    var cacheBackend: String?

    @Option(help: ArgumentHelp("The folder that requests may name LoRA adapters in; none by default.", valueName: "folder"))
    var allowedLoraPath: String?

    @Option(
        help: ArgumentHelp(
            "Steps in which a model that speaks makes sound of its codes: fewer are faster. Requests go before it.", valueName: "count"))
    var token2wavSteps: Int?

    @Option(help: ArgumentHelp("Guidance of these steps, 0…10; 0 leaves it out, in half the time.", valueName: "number"))
    var token2wavGuidance: Double?

    @Option(help: ArgumentHelp("How these steps are taken: rk4 or euler.", valueName: "name"))
    var token2wavSolver: String?

    @Flag(help: "Decode pictures in tiles, which takes less memory; by default where they would not fit otherwise.")
    var vaeUseTiling = false

    @Flag(help: "Decode the pictures of a request one by one, which is always done.")
    var vaeUseSlicing = false

    @OptionGroup var components: ComponentFlags

    mutating func validate() throws {
        if threads == nil { threads = try Self.threads(in: ProcessInfo.processInfo.environment) }
        if let prefixCacheTtl, !(0...31_536_000).contains(prefixCacheTtl) {
            throw ValidationError("--prefix-cache-ttl must be from 0 to 31536000 seconds.")
        }
        for (name, value) in numbers where (value ?? 1) < 1 && name != "--gpu-layers" && name != "--max-queue" {
            throw ValidationError("\(name) must be at least 1.")
        }
        if let maxQueue, maxQueue < 0 { throw ValidationError("--max-queue must be at least 0.") }
        _ = try samplingOverride
        _ = try speculation
        _ = try shares
        if let gpuLayers, gpuLayers < 0 { throw ValidationError("--gpu-layers must be at least 0.") }
    }

    private var numbers: [(String, Int?)] {
        [
            ("--max-model-len", maxModelLen), ("--max-num-seqs", maxNumSeqs), ("--max-queue", maxQueue),
            ("--max-num-batched-tokens", maxNumBatchedTokens),
            ("--kv-cache-memory-bytes", kvCacheMemoryBytes), ("--threads", threads), ("--gpu-layers", gpuLayers),
            ("--limit-mm-bytes", limitMmBytes), ("--limit-mm-pixels", limitMmPixels),
            ("--limit-mm-per-prompt", limitMmPerPrompt), ("--max-generated-image-size", maxGeneratedImageSize),
            ("--max-image-memory", maxImageMemory), ("--num-weight-load-threads", numWeightLoadThreads),
            ("--token2wav-steps", token2wavSteps),
        ]
    }

    /// The flags as a worker's command line.
    var arguments: [String] {
        var list = numbers.flatMap { name, value in value.map { [name, String($0)] } ?? [] }
        if let prefixCacheTtl { list += ["--prefix-cache-ttl", String(prefixCacheTtl)] }
        if let limitMmSeconds { list += ["--limit-mm-seconds", String(limitMmSeconds)] }
        if let device { list += ["--device", device] }
        if let tensorSplit { list += ["--tensor-split", tensorSplit] }
        if let chatTemplate { list += ["--chat-template", chatTemplate] }
        if let generationConfig { list += ["--generation-config", generationConfig] }
        if let overrideGenerationConfig { list += ["--override-generation-config", overrideGenerationConfig] }
        if let speculativeConfig { list += ["--speculative-config", speculativeConfig] }
        if let modelDraft { list += ["--model-draft", modelDraft] }
        if disableMultithreadWeightLoad { list.append("--disable-multithread-weight-load") }
        if let quantization { list += ["--quantization", quantization] }
        if let dtype { list += ["--dtype", dtype.rawValue] }
        if let cacheBackend { list += ["--cache-backend", cacheBackend] }
        if let allowedLoraPath { list += ["--allowed-lora-path", allowedLoraPath] }
        if let token2wavGuidance { list += ["--token2wav-guidance", String(token2wavGuidance)] }
        if let token2wavSolver { list += ["--token2wav-solver", token2wavSolver] }
        if vaeUseTiling { list.append("--vae-use-tiling") }
        if !allowedMediaDomains.isEmpty { list += ["--allowed-media-domains"] + allowedMediaDomains }
        return list
    }
}

extension EngineFlags {
    /// What `OMNI_THREADS` says where the command line says nothing; nil where it is not set.
    static func threads(in environment: [String: String]) throws -> Int? {
        guard let text = environment["OMNI_THREADS"], !text.isEmpty else { return nil }
        guard let count = Int(text), count >= 1 else {
            throw ValidationError("OMNI_THREADS must be a whole number of at least 1, not `\(text)`.")
        }
        return count
    }

    /// Names of devices, in order; none where the choice is left to us, which vLLM calls `auto`.
    var devices: [String] {
        let names = (device ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        return names == ["auto"] ? [] : names.filter { !$0.isEmpty }
    }

    /// What `--tensor-split` says.
    var shares: [Float] {
        get throws {
            guard let tensorSplit else { return [] }
            let words = tensorSplit.split(separator: ",", omittingEmptySubsequences: false)
            let shares = words.map { Float($0.trimmingCharacters(in: .whitespaces)) }
            guard shares.allSatisfy({ $0.map { $0.isFinite && $0 >= 0 } ?? false }), shares.contains(where: { $0 ?? 0 > 0 }) else {
                throw ValidationError("--tensor-split must be numbers apart by commas, such as 3,1, not `\(tensorSplit)`.")
            }
            return shares.compactMap { $0 }
        }
    }

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
                throw ValidationError(
                    "--override-generation-config is not a JSON object of sampling parameters: \((error as? APIError)?.message ?? "\(error)")"
                )
            }
        }
    }

    /// What `--speculative-config` and `--model-draft` say.
    var speculation: SpeculativeConfig {
        get throws {
            do {
                var config = try speculativeConfig.map { try SpeculativeConfig(flag: $0) } ?? SpeculativeConfig()
                guard let modelDraft else { return config }
                guard config.model == nil, config.method == nil else {
                    throw ValidationError("--model-draft and --speculative-config both say where guesses come from; give one of them.")
                }
                config.model = modelDraft
                return config
            } catch let error as APIError {
                throw ValidationError(error.message)
            } catch let error as ValidationError {
                throw error
            } catch {
                throw ValidationError("--speculative-config is not a JSON object, such as '{\"method\": \"none\"}': \(error)")
            }
        }
    }

    /// Puts the file of the draft model, as `find` gives it, in the place of its name.
    mutating func locateDraft(_ find: (String) throws -> String) throws {
        var config = try speculation
        guard let name = config.model else { return }
        config.model = try find(name)
        modelDraft = nil
        speculativeConfig = config.json.jsonText
    }

    /// Limits on the pictures of requests, for the gateway and for its workers.
    var imageLimits: ImageRequestLimits {
        var limits = ImageRequestLimits()
        limits.drawnPixels = maxGeneratedImageSize ?? limits.drawnPixels
        limits.inputBytes = limitMmBytes ?? limits.inputBytes
        limits.inputPixels = limitMmPixels ?? limits.inputPixels
        limits.queue = maxQueue ?? limits.queue
        limits.adapterFolder = allowedLoraPath
        limits.startAdapters = components.adapters.map(\.path)
        limits.cacheThreshold = cacheBackend == "tea_cache" ? 0.2 : 0
        return limits
    }
}
