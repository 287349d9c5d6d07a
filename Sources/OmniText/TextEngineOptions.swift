import Foundation
import OmniAPI
import OmniEngine

/// How a text engine is set up. The names of the command line's flags stand with each.
public struct TextEngineOptions: Sendable {
    /// `--max-model-len`: longest prompt and answer together, tokens; nil takes the model's own, at most 32768.
    public var maxModelLength: Int?
    /// `--max-num-seqs`: answers computed at once.
    public var maxSequences = 8
    /// `--max-queue`: requests that may wait for a place.
    public var maxQueue = 256
    /// Cores to compute on; nil takes all.
    public var threads: Int?
    /// Most prompt tokens in one step; also how long a newcomer may have to wait for a lone prompt.
    public var batchSize = 512
    /// Bytes of KV cache over all sequences. One sequence of full length is always given room, whatever it takes.
    public var cacheBytes = min(1 << 30, Int(clamping: ProcessInfo.processInfo.physicalMemory / 8))
    /// Bytes of KV cache that one sequence may take when no length is given.
    public var longestSequenceBytes = 2 << 30
    /// Layers on a GPU; -1 puts all there.
    public var gpuLayers = -1
    /// The projector that gives the model eyes or ears.
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
    public var media = MediaLimits()
    /// Fetches http(s) URLs of pictures and sounds; nil refuses them.
    public var fetcher: (any MediaFetcher)?

    public init() {}

    var threadCount: Int { max(threads ?? ProcessInfo.processInfo.activeProcessorCount, 1) }
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

/// What a request may bring in pictures and sounds. Everything over a limit is answered with 413 naming the flag.
public struct MediaLimits: Sendable {
    /// `--limit-mm-bytes`: bytes of one file.
    public var bytes = 32 << 20
    /// `--limit-mm-pixels`: pixels of one picture.
    public var pixels = 64_000_000
    /// `--limit-mm-seconds`: length of one sound or film.
    public var seconds = 600.0
    /// `--limit-mm-per-prompt`: pictures, sounds and films in one conversation.
    public var parts = 16

    public init() {}
}
