import Foundation
import OmniAPI
import OmniEngine
import OmniLlama

/// How a text engine is set up. The names of the command line's flags stand with each.
public struct TextEngineOptions: Sendable {
    /// `--max-model-len`: longest prompt and answer together, tokens; nil takes the model's own, at most 32768.
    public var maxModelLength: Int?
    /// `--max-num-seqs`: answers computed at once.
    public var maxSequences = 8
    /// `--max-queue`: requests that may wait for a place.
    public var maxQueue = 256
    /// `--threads`: threads that compute; nil takes as many as find a core (``Processors``).
    public var threads: Int?
    /// Most prompt tokens in one step; also how long a newcomer may have to wait for a lone prompt.
    public var batchSize = 512
    /// `--kv-cache-memory-bytes`: bytes of KV cache over all sequences. One sequence of full length is always given room, whatever it takes.
    public var cacheBytes: Int
    /// Bytes of KV cache that one sequence may take when no length is given.
    public var longestSequenceBytes: Int
    /// `--prefix-cache-ttl`: how long the tokens of a finished answer stay in the cache for the next prompt that begins alike; nil
    /// keeps them until their place is needed.
    public var prefixLifetime: Duration? = .seconds(600)
    /// `--gpu-layers`: layers on a GPU; -1 puts all there.
    public var gpuLayers = -1
    /// `--device`: what computes, as ``ComputeDevice`` names it; several share the layers. Empty takes every GPU that there is.
    public var devices: [String] = []
    /// `--tensor-split`: shares of the layers for the devices, in their order; empty splits by free memory.
    public var tensorSplit: [Float] = []
    /// The projector: encoders of pictures or sound.
    public var mmproj: String?
    /// `--generation-config`: where the defaults for sampling are.
    public var generationConfig = GenerationConfigSource.auto
    /// `--override-generation-config`: goes before them.
    public var overrideGenerationConfig = GenerationConfig()
    /// A Jinja template, or the path of a file with one, in place of the model's own.
    public var chatTemplate: String?
    /// One cache for all sequences, or one for each. Attention reads over every used cell of a cache, others' too, so one for
    /// each is faster; but each must be long enough for a whole sequence. Nil gives each its own where `cacheBytes` allows.
    public var unifiedCache: Bool?
    /// `--speculative-config`: how the next tokens are guessed, so that several are computed at once where that is faster.
    public var speculation = SpeculativeConfig()
    /// For tests: attention in f32 throughout.
    var isExact = false
    /// For tests: guesses are computed whatever they cost.
    var alwaysSpeculates = false
    /// What speaks the model's answers.
    public var voice: VoiceParts?
    public var media = MediaLimits()
    /// Fetches http(s) URLs of pictures and sounds; nil refuses them.
    public var fetcher: (any MediaFetcher)?
    /// `--max-loras`: low-rank adapters in memory at once.
    public var maxAdapters = 8
    /// Finds the file of an adapter that a request asks for, and checks it against the model; nil refuses them. Throws ``APIError``.
    public var adapterFile: (@Sendable (LoRAModule) async throws -> AdapterFile)?

    /// The sizes of caches follow from how much memory this process may use, and how much of it is left.
    public init(memory: MemoryBudget = .current) {
        let left = (memory.available ?? memory.limit) / 2
        cacheBytes = min(1 << 30, memory.limit / 8, left)
        longestSequenceBytes = min(2 << 30, memory.limit / 4, left)
    }

    var placement: ModelPlacement { ModelPlacement(gpuLayers: gpuLayers, devices: devices, tensorSplit: tensorSplit) }
    var threadCount: Int { max(threads ?? Processors.current.threads, 1) }
}

/// Where a model's defaults for sampling come from, in vLLM's words.
public enum GenerationConfigSource: Sendable, Equatable {
    /// `vllm`: from nowhere; vLLM's own hold.
    case none
    /// `auto`: the file beside the model, then the model's metadata.
    case auto
    /// The path of a folder with a `generation_config.json`.
    case folder(String)

    public init(flag: String) {
        self = flag == "auto" ? .auto : flag == "vllm" ? .none : .folder(flag)
    }
}

/// The parts that a model needs beside the one that writes, to speak what it writes.
public struct VoiceParts: Sendable {
    /// The talker as a GGUF.
    public var talker: String
    public var decoder: any CodecDecoder
    /// The compute lane of the talker's thread.
    public var lane: any ComputeLane
    /// Answers that are spoken at once; others wait.
    public var sequences = 2
    /// Longest prompt of a spoken answer, tokens.
    public var longestPrompt = 8192
    /// The words of a text that is to be read aloud, without the marks that nobody says.
    public var words: @Sendable (String) -> String = { $0 }
    /// For tests: the talker's attention in f32 throughout, in place of f16 keys and values.
    var isExact = false

    public init(talker: String, decoder: any CodecDecoder, lane: any ComputeLane) {
        (self.talker, self.decoder, self.lane) = (talker, decoder, lane)
    }
}

/// What a request may bring in pictures and sounds. Everything over a limit is answered with 413 naming the flag.
public struct MediaLimits: Sendable {
    /// `--limit-mm-bytes`: bytes of one file.
    public var bytes = 32 << 20
    /// `--limit-mm-pixels`: pixels of one picture.
    public var pixels = 64_000_000
    /// `--limit-mm-seconds`: length of one sound or video.
    public var seconds = 600.0
    /// `--limit-mm-per-prompt`: pictures, sounds and videos in one conversation.
    public var parts = 16

    public init() {}
}
