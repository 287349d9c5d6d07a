import Logging
import OmniAPI
import OmniEngine
import OmniSpeech
import OmniText

/// Loads the model that a worker was started for. A new kind of engine is one more case here.
struct EngineLoader: Sendable {
    /// The kinds of model that this build serves.
    static let kinds: [ModelKind] = [.text, .embedding, .image, .video, .speech]

    let command: WorkerCommand
    let lane: any ComputeLane
    let fetcher: any MediaFetcher
    let logger: Logger

    func load(progress: @escaping @Sendable (Double) -> Void) async throws -> any ServedModel {
        guard let kind = ModelKind(rawValue: command.kind) else { throw APIError(.invalidRequest, "There is no kind of model called `\(command.kind)`.") }
        switch kind {
        case .text, .embedding:
            return try await TextEngine.load(path: command.model, options: try textOptions(), lane: lane, logger: logger, progress: progress)
        case .image: return try await loadDiffusion(progress: progress)
        case .speech:
            var options = SpeechOptions()
            options.threads = command.engine.threads
            options.voiceName = command.servedModelName
            if command.model.hasSuffix(".gguf") {
                return try await LlamaSpeechEngine.load(
                    path: command.model, projector: command.mmproj, options: options, gpuLayers: command.engine.gpuLayers ?? -1, lane: lane, logger: logger,
                    progress: progress)
            }
            return try await SpeechEngine.load(folder: command.model, options: options, lane: lane, logger: logger, progress: progress)
        case .video: return try await loadVideo(progress: progress)
        case .transcription:
            throw APIError(.invalidRequest, "This build cannot serve \(kind.rawValue) models.")
        }
    }

    private func textOptions() throws -> TextEngineOptions {
        let flags = command.engine
        var options = TextEngineOptions()
        options.maxModelLength = flags.maxModelLen
        options.maxSequences = flags.maxNumSeqs ?? options.maxSequences
        options.maxQueue = flags.maxQueue ?? options.maxQueue
        options.batchSize = flags.maxNumBatchedTokens ?? options.batchSize
        options.threads = flags.threads
        options.gpuLayers = flags.gpuLayers ?? options.gpuLayers
        options.mmproj = command.mmproj
        options.chatTemplate = flags.chatTemplate
        options.generationConfig = flags.generationConfig.map(GenerationConfigSource.init(flag:)) ?? options.generationConfig
        options.overrideGenerationConfig = try flags.samplingOverride
        options.media.bytes = flags.limitMmBytes ?? options.media.bytes
        options.media.pixels = flags.limitMmPixels ?? options.media.pixels
        options.media.seconds = flags.limitMmSeconds ?? options.media.seconds
        options.media.parts = flags.limitMmPerPrompt ?? options.media.parts
        options.fetcher = fetcher
        return options
    }
}
