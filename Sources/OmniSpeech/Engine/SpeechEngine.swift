import Foundation
import Logging
import OmniAPI
import OmniEngine

/// A voice folder spoken by sherpa-onnx.
public final class SpeechEngine: SpeechModel, MeteredModel {
    public let card: ModelCard
    public let voices: [SpeechVoice]
    public let abilities: SpeechAbilities
    public let family: VoiceFamily
    private var kind: VoiceKind? { VoiceKind.onnx(family) }
    private let thread: SynthesisThread<SherpaSpeaker>
    private let espeakVoice: String?
    private let espeakLanguages: Set<String>
    private let options: SpeechOptions
    private let logger: Logger

    /// Loads the voice in a folder (or of a file in it), recognised from its files.
    ///
    /// - Parameters:
    ///   - lane: for the engine's one thread; held for one sentence at a time.
    ///   - progress: the share that is loaded, 0…1.
    /// - Throws: ``APIError`` with the reason when a file is missing, damaged or of no known kind. Damaged files are found
    ///   before sherpa-onnx sees them: it would end the process.
    public static func load(
        folder: String, options: SpeechOptions = SpeechOptions(), lane: any ComputeLane = FreeLane(), logger: Logger,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> SpeechEngine {
        try await BlockingThread.run(name: "omni-speech-load") {
            try SpeechEngine(folder: folder, options: options, lane: lane, logger: logger, progress: progress)
        }
    }

    private init(
        folder path: String, options: SpeechOptions, lane: any ComputeLane, logger: Logger, progress: @escaping @Sendable (Double) -> Void
    ) throws {
        progress(0)
        let folder = try VoiceFolder(path: path)
        let scratch = "\(options.scratchFolder ?? NSTemporaryDirectory())/omni-voice-\(UUID().uuidString)"
        var prepared = try PreparedVoice(folder, scratch: scratch)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        prepared.noiseScale = options.noiseScale ?? prepared.noiseScale
        prepared.noiseScaleW = options.noiseScaleW ?? prepared.noiseScaleW
        progress(0.3)
        let voice = prepared
        let (thread, facts) = try SynthesisThread.start {
            let phonemizer = try voice.espeakVoice.map { _ in try Phonemizer() }
            if let phonemizer, let name = voice.espeakVoice, !phonemizer.languages.contains(name.lowercased()) {
                throw APIError.unusableVoice(path, "espeak-ng does not speak its language, \(name)")
            }
            return try SherpaSpeaker(voice, phonemizer: phonemizer, threads: options.threadCount, lane: lane)
        }
        self.thread = thread
        family = voice.family
        espeakLanguages = facts.languages
        espeakVoice = voice.espeakVoice
        voices = Self.voices(voice, count: facts.speakers, name: options.voiceName ?? Self.name(of: folder.path))
        abilities = Self.abilities(voice, sampleRate: facts.sampleRate, longestText: options.longestText)
        self.options = options
        self.logger = logger
        card = ModelCard(
            kind: .speech, root: path,
            details: JSONObject([
                ("family", .string(family.rawValue)), ("sample_rate", .int(facts.sampleRate)), ("voices", .int(voices.count)),
                ("clones", .bool(abilities.clones)), ("language", .string(voice.espeakVoice)),
            ]))
        progress(1)
        logger.info(
            "loaded a voice",
            metadata: [
                "family": "\(family.rawValue)", "root": "\(path)", "sample_rate": "\(facts.sampleRate)", "voices": "\(voices.count)",
            ])
    }

    deinit { thread.close() }

    public var stalledFor: Duration? { thread.stalledFor }

    public func shutdown() async { await thread.end() }

    public func report(to registry: MetricsRegistry, modelName: String) { thread.report(to: registry, modelName: modelName) }

    public func speak(_ request: SpeechSynthesis, scope: RequestScope) async throws -> SpeechGeneration {
        let settings = try voiceSettings(request)
        // A voice of several languages (Supertonic) takes English where none is named.
        let language =
            settings.espeakVoice ?? request.language.flatMap { SpeechLanguage.isAutomatic($0) ? nil : $0 } ?? kind?.language
            ?? (kind?.takesLanguage == true ? "en" : nil)
        let plan = try SpeechJob<SherpaSpeaker>.Plan(
            request, settings: settings, language: language, modelRate: abilities.sampleRate, options: options)
        let events = try await thread.speak(request.text, plan, scope: scope, logger: logger)
        return SpeechGeneration(sampleRate: plan.sampleRate, ignored: ignored(request), events: events)
    }

    private func voiceSettings(_ request: SpeechSynthesis) throws -> SherpaSpeaker.VoiceSettings {
        if request.reference != nil, !abilities.clones {
            throw APIError.invalid(
                "ref_audio", "This model cannot imitate a voice.", remedy: "Its voices are: \(voices.map(\.name).joined(separator: ", ")).")
        }
        if kind?.hasOwnVoices == false, request.reference == nil {
            throw APIError.invalid("ref_audio", "This model has no voices of its own.", remedy: "Upload a voice, or send ref_audio.")
        }
        if abilities.cloningNeedsText, request.reference?.text?.isEmpty != false {
            throw APIError.invalid("ref_text", "This model needs the text that is spoken in the sample.")
        }
        var extra = JSONObject()
        if let seed = request.seed, abilities.honoursSeed { extra.append("seed", .int(Int(UInt32(truncatingIfNeeded: seed) >> 1))) }
        if kind?.takesLanguage == true, let language = request.language, !SpeechLanguage.isAutomatic(language) {
            let code = SpeechLanguage.code(language)
            guard SpeechLanguage.supertonic.contains(code) else {
                throw APIError.invalid("language", "This model does not speak '\(language)'.")
            }
            extra.append("lang", .string(code))
        }
        return SherpaSpeaker.VoiceSettings(
            speaker: try speaker(request.voice), espeakVoice: try espeakVoice(for: request.language), reference: request.reference,
            extra: extra)
    }

    private func speaker(_ name: String?) throws -> Int {
        guard let name, !name.isEmpty else { return 0 }
        if let index = voices.firstIndex(where: { $0.name.lowercased() == name.lowercased() }) { return index }
        if name.lowercased() == "default" { return 0 }
        throw APIError.invalid("voice", "Invalid voice '\(name)'. Supported: \(voices.map(\.name).joined(separator: ", "))")
    }

    private func espeakVoice(for language: String?) throws -> String? {
        guard let own = espeakVoice, let language, !SpeechLanguage.isAutomatic(language) else { return espeakVoice }
        let wanted = SpeechLanguage.espeakVoice(language)
        // "English" is spoken by an en-gb voice in its own way.
        if own.split(separator: "-").first == wanted.split(separator: "-").first { return own }
        guard espeakLanguages.contains(wanted) else { throw APIError.invalid("language", "The language '\(language)' is not known.") }
        return wanted
    }

    private func ignored(_ request: SpeechSynthesis) -> [String] {
        var ignored: [String] = []
        if request.seed != nil, !abilities.honoursSeed, !abilities.isDeterministic { ignored.append("seed") }
        if request.instructions?.isEmpty == false, !abilities.honoursInstructions { ignored.append("instructions") }
        if let language = request.language, espeakVoice == nil, kind?.takesLanguage != true, !SpeechLanguage.isAutomatic(language) {
            ignored.append("language")
        }
        return ignored
    }
}
