import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniSpeech
import OmniText
import OmniTranscription

/// Loads the model that a worker was started for. A new kind of engine is one more case here.
struct EngineLoader: Sendable {
    /// The kinds of model that this build serves.
    static let kinds: [ModelKind] = [.text, .embedding, .classifier, .image, .video, .speech, .transcription]

    let command: WorkerCommand
    let lane: any ComputeLane
    /// Another hold on the same lane, for a further thread that computes.
    let makeLane: @Sendable () throws -> any ComputeLane
    let fetcher: any MediaFetcher
    let logger: Logger

    func load(progress: @escaping @Sendable (Double) -> Void) async throws -> any ServedModel {
        guard let kind = ModelKind(rawValue: command.kind) else {
            throw APIError(.invalidRequest, "There is no kind of model called `\(command.kind)`.")
        }
        switch kind {
        case .text, .embedding, .classifier:
            var options = try textOptions()
            if let draft = options.speculation.model { options.speculation.model = try await converted(draft)?.path ?? draft }
            let made = try await converted(command.model) { progress($0 * 0.9) }
            options.mmproj = options.mmproj ?? made?.encoders
            options.voice = try await voice(of: command.model)
            setAdapters(base: made?.path ?? command.model, in: &options)
            return try await TextEngine.load(path: made?.path ?? command.model, options: options, lane: lane, logger: logger) {
                progress(made?.isNew == true ? 0.9 + $0 * 0.1 : $0)
            }
        case .image: return try await loadDiffusion(progress: progress)
        case .speech:
            var options = SpeechOptions()
            options.threads = command.engine.threads
            options.voiceName = command.servedModelName
            if command.model.hasSuffix(".gguf") {
                return try await LlamaSpeechEngine.load(
                    path: command.model, projector: command.mmproj, options: options, gpuLayers: command.engine.gpuLayers ?? -1, lane: lane,
                    logger: logger,
                    progress: progress)
            }
            return try await SpeechEngine.load(folder: command.model, options: options, lane: lane, logger: logger, progress: progress)
        case .video: return try await loadVideo(progress: progress)
        case .transcription:
            var options = TranscriptionOptions()
            options.threads = command.engine.threads
            options.voiceActivityModel = command.mmproj
            return try await WhisperEngine.load(path: command.model, options: options, lane: lane, logger: logger, progress: progress)
        }
    }

    private func textOptions() throws -> TextEngineOptions {
        let flags = command.engine
        var options = TextEngineOptions()
        options.maxModelLength = flags.maxModelLen
        options.maxSequences = flags.maxNumSeqs ?? options.maxSequences
        options.maxQueue = flags.maxQueue ?? options.maxQueue
        options.batchSize = flags.maxNumBatchedTokens ?? options.batchSize
        options.cacheBytes = flags.kvCacheMemoryBytes ?? options.cacheBytes
        if let seconds = flags.prefixCacheTtl { options.prefixLifetime = seconds > 0 ? .seconds(seconds) : nil }
        options.threads = flags.threads
        options.gpuLayers = flags.gpuLayers ?? options.gpuLayers
        (options.devices, options.tensorSplit) = (flags.devices, try flags.shares)
        options.mmproj = command.mmproj
        options.chatTemplate = flags.chatTemplate
        options.generationConfig = flags.generationConfig.map(GenerationConfigSource.init(flag:)) ?? options.generationConfig
        options.overrideGenerationConfig = try flags.samplingOverride
        options.speculation = try flags.speculation
        options.media.bytes = flags.limitMmBytes ?? options.media.bytes
        options.media.pixels = flags.limitMmPixels ?? options.media.pixels
        options.media.seconds = flags.limitMmSeconds ?? options.media.seconds
        options.media.parts = flags.limitMmPerPrompt ?? options.media.parts
        options.fetcher = fetcher
        return options
    }
}
