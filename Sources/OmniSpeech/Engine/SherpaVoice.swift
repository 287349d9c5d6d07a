import CSherpa
import OmniAPI
import OmniEngine

/// What sherpa-onnx is to say in one call.
struct SherpaUtterance {
    enum Input {
        /// Unicode scalars of phonemes that the model knows.
        case phonemes([Int32])
        /// Text, for models that read it themselves.
        case text(String)
    }

    var input: Input
    var speaker = 0
    var reference: ReferenceVoice?
    /// Options of a family, as members of a JSON object.
    var extra = JSONObject()
}

/// Owner of one loaded sherpa-onnx voice. ``speak(_:cancellation:)`` may run on several threads at a time where
/// ``PreparedVoice/isSpokenSideBySide``.
// @unchecked: all is constant, and ONNX Runtime takes calls from several threads.
final class SherpaVoice: @unchecked Sendable {
    private let handle: OpaquePointer
    /// Flow steps of the families that have them, as their makers advise.
    private let steps: Int32
    /// Hz
    let sampleRate: Int
    let speakerCount: Int

    /// Loads checked files. Blocks for about a second. Throws ``APIError`` when ONNX Runtime refuses one.
    init(_ voice: PreparedVoice, threads: Int) throws {
        let strings = CStrings()
        var configuration = SherpaOnnxOfflineTtsConfig(voice, strings)
        configuration.model.num_threads = Int32(threads)
        configuration.model.provider = strings("cpu")
        configuration.max_num_sentences = 1
        configuration.silence_scale = 1
        var reason = [CChar](repeating: 0, count: Int(CSHERPA_ERROR_SIZE))
        let handle = csherpa_tts_create(&configuration, &reason)
        guard let handle else {
            throw APIError.unusableVoice(voice.files["model"] ?? voice.files.values.sorted().first ?? "?", Self.text(reason))
        }
        self.handle = handle
        steps = voice.family == .zipvoice ? 4 : 5
        sampleRate = Int(SherpaOnnxOfflineTtsSampleRate(handle))
        speakerCount = max(1, Int(SherpaOnnxOfflineTtsNumSpeakers(handle)))
        // The C strings must last until the call that reads them.
        withExtendedLifetime(strings) {}
    }

    deinit { SherpaOnnxDestroyOfflineTts(handle) }

    /// Mono samples at ``sampleRate``; nil when `cancellation` stopped the call. Blocks while it computes.
    func speak(_ utterance: SherpaUtterance, cancellation: CancellationToken) throws -> [Float]? {
        let strings = CStrings()
        var configuration = SherpaOnnxGenerationConfig()
        configuration.speed = 1
        configuration.silence_scale = 1
        configuration.num_steps = steps
        configuration.sid = Int32(utterance.speaker)
        if !utterance.extra.isEmpty { configuration.extra = strings(JSONValue.object(utterance.extra).jsonText) }
        configuration.reference_text = strings(utterance.reference?.text)
        var text = ""
        var phonemes: [Int32] = []
        switch utterance.input {
        case .text(let given): text = given
        case .phonemes(let given): phonemes = given
        }
        let length = [Int32(phonemes.count)]
        let samples = utterance.reference?.samples ?? []
        return try phonemes.withUnsafeBufferPointer { phonemes in
            try length.withUnsafeBufferPointer { length in
                try samples.withUnsafeBufferPointer { samples in
                    if !phonemes.isEmpty {
                        configuration.phoneme_codepoints = phonemes.baseAddress
                        configuration.phoneme_codepoints_lens = length.baseAddress
                        configuration.phoneme_codepoints_num_sentences = 1
                    }
                    if let reference = utterance.reference {
                        configuration.reference_audio = samples.baseAddress
                        configuration.reference_audio_len = Int32(samples.count)
                        configuration.reference_sample_rate = Int32(reference.sampleRate)
                    }
                    return try generate(text, &configuration, cancellation)
                }
            }
        }
    }

    private func generate(_ text: String, _ configuration: inout SherpaOnnxGenerationConfig, _ cancellation: CancellationToken) throws
        -> [Float]?
    {
        var reason = [CChar](repeating: 0, count: Int(CSHERPA_ERROR_SIZE))
        // The token outlives the call, which is the only user of the pointer.
        let argument = Unmanaged.passUnretained(cancellation).toOpaque()
        let audio = csherpa_tts_generate(
            handle, text, &configuration,
            { _, _, _, argument in
                guard let argument else { return 1 }
                return Unmanaged<CancellationToken>.fromOpaque(argument).takeUnretainedValue().isCancelled ? 0 : 1
            }, argument, &reason)
        defer { SherpaOnnxDestroyOfflineTtsGeneratedAudio(audio) }
        if cancellation.isCancelled { return nil }
        guard let audio else { throw APIError(.internalError, "Speaking failed: \(Self.text(reason)).") }
        guard let samples = audio.pointee.samples, audio.pointee.n > 0 else { return [] }
        return Array(UnsafeBufferPointer(start: samples, count: Int(audio.pointee.n)))
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension SherpaOnnxOfflineTtsConfig {
    /// The configuration of a family; `strings` owns its texts.
    fileprivate init(_ voice: PreparedVoice, _ strings: CStrings) {
        self.init()
        func file(_ role: String) -> UnsafePointer<CChar>? { strings(voice.files[role]) }
        // sherpa-onnx takes 0 for "not given": noise of 1e-30 is lost in the first addition, and so is none.
        func noise(_ scale: Float?, or standard: Float) -> Float { max(scale ?? standard, 1e-30) }
        switch voice.family {
        case .piper:
            model.vits.model = file("model")
            model.vits.tokens = file("tokens")
            model.vits.lexicon = voice.espeakVoice == nil ? file("lexicon") : nil
            model.vits.noise_scale = noise(voice.noiseScale, or: 0.667)
            model.vits.noise_scale_w = noise(voice.noiseScaleW, or: 0.8)
            model.vits.length_scale = voice.lengthScale
        case .kokoro:
            model.kokoro.model = file("model")
            model.kokoro.voices = file("voices")
            model.kokoro.tokens = file("tokens")
            model.kokoro.length_scale = voice.lengthScale
        case .kitten:
            model.kitten.model = file("model")
            model.kitten.voices = file("voices")
            model.kitten.tokens = file("tokens")
            model.kitten.length_scale = voice.lengthScale
        case .matcha:
            model.matcha.acoustic_model = file("acoustic_model")
            model.matcha.vocoder = file("vocoder")
            model.matcha.tokens = file("tokens")
            model.matcha.lexicon = voice.espeakVoice == nil ? file("lexicon") : nil
            model.matcha.noise_scale = noise(voice.noiseScale, or: 0.667)
            model.matcha.length_scale = voice.lengthScale
        case .zipvoice:
            model.zipvoice.tokens = file("tokens")
            model.zipvoice.encoder = file("encoder")
            model.zipvoice.decoder = file("decoder")
            model.zipvoice.vocoder = file("vocoder")
            model.zipvoice.lexicon = file("lexicon")
            (model.zipvoice.feat_scale, model.zipvoice.t_shift) = (0.1, 0.5)
            (model.zipvoice.target_rms, model.zipvoice.guidance_scale) = (0.1, 1)
        case .pocket:
            model.pocket.lm_flow = file("lm_flow")
            model.pocket.lm_main = file("lm_main")
            model.pocket.encoder = file("encoder")
            model.pocket.decoder = file("decoder")
            model.pocket.text_conditioner = file("text_conditioner")
            model.pocket.vocab_json = file("vocab_json")
            model.pocket.token_scores_json = file("token_scores_json")
            model.pocket.voice_embedding_cache_capacity = 16
        case .supertonic:
            model.supertonic.duration_predictor = file("duration_predictor")
            model.supertonic.text_encoder = file("text_encoder")
            model.supertonic.vector_estimator = file("vector_estimator")
            model.supertonic.vocoder = file("vocoder")
            model.supertonic.tts_json = file("tts_json")
            model.supertonic.unicode_indexer = file("unicode_indexer")
            model.supertonic.voice_style = file("voice_style")
        }
    }
}
