import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniLlama
import OmniMedia

/// A speech model as GGUF with its projector, spoken by libllama and libmtmd: sound comes within sentences.
public final class LlamaSpeechEngine: SpeechModel, MeteredModel {
    public let card: ModelCard
    public let voices: [SpeechVoice]
    public let abilities: SpeechAbilities
    public let family: LlamaSpeechFamily
    private let thread: SynthesisThread<LlamaSpeaker>
    private let facts: LlamaSpeaker.Facts
    private let options: SpeechOptions
    private let logger: Logger

    /// Loads a GGUF and its projector, and makes one frame of sound.
    ///
    /// - Parameters:
    ///   - gpuLayers: layers that a GPU computes; -1 for all.
    ///   - lane: for the engine's one thread; held for one stage of a graph at a time.
    ///   - progress: the share that is loaded, 0…1.
    /// - Throws: ``APIError`` naming the file and its fault.
    public static func load(
        path: String, projector: String?, options: SpeechOptions = SpeechOptions(), gpuLayers: Int = -1, lane: any ComputeLane = FreeLane(),
        logger: Logger,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> LlamaSpeechEngine {
        LlamaLog.start(logger: logger)
        return try await BlockingThread.run(name: "omni-speech-load") {
            let files = try LlamaSpeechFiles(model: path, projector: projector)
            let (thread, facts) = try SynthesisThread.start {
                try LlamaSpeaker(files, threads: options.threadCount, gpuLayers: gpuLayers, lane: lane, progress: progress)
            }
            progress(1)
            return LlamaSpeechEngine(files, thread, facts, options: options, logger: logger)
        }
    }

    private init(
        _ files: LlamaSpeechFiles, _ thread: SynthesisThread<LlamaSpeaker>, _ facts: LlamaSpeaker.Facts, options: SpeechOptions,
        logger: Logger
    ) {
        family = files.family
        voices = [
            SpeechVoice(name: (options.voiceName ?? URL(filePath: files.model).deletingPathExtension().lastPathComponent).lowercased())
        ]
        abilities = SpeechAbilities(
            clones: facts.sampleRateHeard != nil, honoursSeed: true, sampleRate: facts.sampleRate, longestText: options.longestText)
        card = ModelCard(
            kind: .speech, root: files.model,
            details: JSONObject([
                ("family", .string(family.rawValue)), ("sample_rate", .int(facts.sampleRate)), ("voices", .int(1)),
                ("clones", .bool(abilities.clones)),
                ("languages", .array(facts.languages.map { .string($0) })),
            ]))
        self.thread = thread
        self.facts = facts
        self.options = options
        self.logger = logger
        logger.info(
            "loaded a voice", metadata: ["family": "\(family.rawValue)", "root": "\(files.model)", "sample_rate": "\(facts.sampleRate)"])
    }

    deinit { thread.close() }

    public var stalledFor: Duration? { thread.stalledFor }

    public func shutdown() async { await thread.end() }

    public func report(to registry: MetricsRegistry, modelName: String) { thread.report(to: registry, modelName: modelName) }

    public func speak(_ request: SpeechSynthesis, scope: RequestScope) async throws -> SpeechGeneration {
        let settings = try voiceSettings(request)
        let plan = try SpeechJob<LlamaSpeaker>.Plan(
            request, settings: settings, language: settings.language ?? family.language, modelRate: abilities.sampleRate, options: options)
        let events = try await thread.speak(request.text, plan, scope: scope, logger: logger)
        return SpeechGeneration(sampleRate: plan.sampleRate, ignored: ignored(request), events: events)
    }

    private func voiceSettings(_ request: SpeechSynthesis) throws -> LlamaSpeaker.VoiceSettings {
        if let voice = request.voice?.lowercased(), !voice.isEmpty, voice != "default", voice != voices[0].name {
            throw APIError.invalid("voice", "Invalid voice '\(voice)'. Supported: \(voices[0].name)")
        }
        if family.needsSample, request.reference == nil {
            throw APIError.invalid("ref_audio", "This model has no voices of its own.", remedy: "Upload a voice, or send ref_audio.")
        }
        return LlamaSpeaker.VoiceSettings(
            language: try language(request.language), sample: try request.reference.map { VoiceSample(try sample($0)) },
            seed: request.seed.map { UInt32(truncatingIfNeeded: $0) } ?? .random(in: 0 ... .max))
    }

    private func language(_ name: String?) throws -> String? {
        guard family.takesLanguage else { return nil }
        guard let name, !SpeechLanguage.isAutomatic(name) else {
            return facts.languages.contains("english") ? "english" : facts.languages.first
        }
        if let own = facts.languages.first(where: { $0 == name.lowercased() || SpeechLanguage.code($0) == SpeechLanguage.code(name) }) {
            return own
        }
        throw APIError.invalid(
            "language", "This model does not speak '\(name)'.",
            remedy: "It speaks \(facts.languages.map(\.capitalized).joined(separator: ", ")).")
    }

    /// The reference's samples at the rate that the model hears.
    private func sample(_ reference: ReferenceVoice) throws -> [Float] {
        guard let rate = facts.sampleRateHeard else { throw APIError.invalid("ref_audio", "This model cannot imitate a voice.") }
        guard reference.samples.count >= reference.sampleRate / 2 else {
            throw APIError.invalid("ref_audio", "The sample is shorter than half a second.")
        }
        guard reference.sampleRate != rate else { return reference.samples }
        let resampler = try Resampler(from: reference.sampleRate, to: rate)
        return try resampler.push(reference.samples) + resampler.finish()
    }

    private func ignored(_ request: SpeechSynthesis) -> [String] {
        var ignored: [String] = []
        if request.instructions?.isEmpty == false { ignored.append("instructions") }
        if let language = request.language, !family.takesLanguage, !SpeechLanguage.isAutomatic(language) { ignored.append("language") }
        return ignored
    }
}
