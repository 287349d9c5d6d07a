import CLlama
import CWhisper
import Foundation
import OmniAPI
import OmniDevices
import OmniEngine
import OmniGGUF

/// Owner of a loaded Whisper and of what it computes with. One thread uses it.
final class WhisperModel {
    /// What one call shall do.
    struct Settings {
        /// A code; nil where the model shall tell.
        var language: String?
        var translates = false
        var temperature = 0.0
        /// Tokens of the text before.
        var prompt: [Int32] = []
        var beams = 1
        var threads = 1
        /// Frames of 20 ms that the encoder sees of the window; nil for all 30 seconds, whatever the length of the sound.
        var encoderFrames: Int?
    }

    /// What was heard in a window.
    struct Window {
        struct Segment {
            /// Hundredths of a second of the samples.
            var start: Int
            var end: Int
            var text: String
            var tokens: [Token]
            var noSpeechProbability: Double
        }

        struct Token {
            var id: Int32
            var bytes: [UInt8]
            var logprob: Double
            /// Hundredths of a second at which it is over; nil where that was not asked for.
            var end: Int?
        }

        var segments: [Segment]
        var language: String
        var temperature: Double

        /// Whisper's own thresholds (what is said over and over, words that hardly fit the sound) made it try again at a higher temperature,
        /// or it heard nothing.
        var isDoubtful: Bool { temperature > 0 || segments.allSatisfy(\.tokens.isEmpty) }
    }

    private let context: OpaquePointer
    private let state: OpaquePointer
    private let turn: GraphTurn
    let isMultilingual: Bool
    /// Tokens of a prompt, at most.
    let longestPrompt: Int
    /// Frames of 20 ms that the encoder sees of a whole window.
    let windowFrames: Int

    /// Loads a checked file. Blocks for as long as reading it takes.
    ///
    /// - Parameter timesWords: words get times, which costs a further look at each window's text.
    init(path: String, timesWords: Bool, turn: GraphTurn) throws {
        var parameters = whisper_context_default_params()
        // Its lane is the CPU's, and nobody has heard it on anything else.
        parameters.use_gpu = false
        parameters.flash_attn = !timesWords
        ComputeDevice.loadBackends()
        WhisperLog.clearError()
        if timesWords {
            parameters.dtw_token_timestamps = true
            parameters.dtw_aheads_preset = WHISPER_AHEADS_N_TOP_MOST
            parameters.dtw_n_top = 1
            if let preset = try WhisperFile(url: URL(filePath: path))?.alignmentHeads { parameters.dtw_aheads_preset = preset }
        }
        guard let context = whisper_init_from_file_with_params_no_state(path, parameters) else {
            throw APIError.unusableRecognizer(path, WhisperLog.firstError)
        }
        guard let state = whisper_init_state(context) else {
            whisper_free(context)
            throw APIError.unusableRecognizer(path, WhisperLog.firstError)
        }
        (self.context, self.state, self.turn) = (context, state, turn)
        isMultilingual = whisper_is_multilingual(context) != 0
        longestPrompt = Int(whisper_n_text_ctx(context)) / 2 - 1
        windowFrames = Int(whisper_n_audio_ctx(context))
    }

    deinit {
        whisper_free_state(state)
        whisper_free(context)
    }

    /// All languages, English first.
    var languages: [SpokenLanguage] {
        (0...(isMultilingual ? whisper_lang_max_id() : 0)).compactMap { id in
            guard let code = whisper_lang_str(id), let name = whisper_lang_str_full(id) else { return nil }
            return SpokenLanguage(code: String(cString: code), name: String(cString: name))
        }
    }

    /// The tokens of a text.
    func tokens(of text: String) -> [Int32] {
        var tokens = [Int32](repeating: 0, count: text.utf8.count + 8)
        let count = whisper_tokenize(context, text, &tokens, Int32(tokens.count))
        return count > 0 ? Array(tokens.prefix(Int(count))) : []
    }

    /// Hears one window of the samples, which begins at `offset` hundredths of a second. Throws `CancellationError` when it was given up.
    func hear(_ samples: [Float], from offset: Int, _ settings: Settings, for owners: [CancellationToken]) throws -> Window {
        var parameters = whisper_full_default_params(settings.beams > 1 ? WHISPER_SAMPLING_BEAM_SEARCH : WHISPER_SAMPLING_GREEDY)
        parameters.n_threads = Int32(settings.threads)
        parameters.offset_ms = Int32(offset * 10)
        if let frames = settings.encoderFrames { parameters.audio_ctx = Int32(min(frames, windowFrames)) }
        parameters.translate = settings.translates
        parameters.no_context = true
        parameters.print_progress = false
        parameters.suppress_nst = true
        parameters.temperature = Float(settings.temperature)
        // As OpenAI has it: who names a temperature gets that one.
        parameters.temperature_inc = settings.temperature > 0 ? 0 : 0.2
        parameters.greedy.best_of = settings.beams > 1 || settings.temperature == 0 ? 5 : 1
        parameters.beam_search.beam_size = Int32(settings.beams)
        parameters.abort_callback = GraphTurn.abort
        parameters.abort_callback_user_data = turn.pointer
        parameters.encoder_begin_callback = GraphTurn.beginsWindow
        parameters.encoder_begin_callback_user_data = turn.pointer
        let code = try turn.run(for: owners) {
            settings.prompt.withUnsafeBufferPointer { prompt in
                parameters.prompt_tokens = prompt.baseAddress
                parameters.prompt_n_tokens = Int32(prompt.count)
                return (settings.language ?? (isMultilingual ? "auto" : "en")).withCString { language in
                    parameters.language = language
                    return whisper_full_with_state(context, state, parameters, samples, Int32(samples.count))
                }
            }
        }
        guard code == 0 else { throw APIError(.internalError, "whisper.cpp ended with \(code).") }
        let language = whisper_lang_str(whisper_full_lang_id_from_state(state)).map { String(cString: $0) } ?? "en"
        return Window(
            segments: (0..<whisper_full_n_segments_from_state(state)).map(segment), language: isMultilingual ? language : "en",
            temperature: Double(whisper_full_temperature_from_state(state)))
    }

    private func segment(_ index: Int32) -> Window.Segment {
        let text = whisper_full_get_segment_text_from_state(state, index).map { String(cString: $0) } ?? ""
        let end = whisper_token_eot(context)
        let tokens = (0..<whisper_full_n_tokens_from_state(state, index)).compactMap { place -> Window.Token? in
            let token = whisper_full_get_token_data_from_state(state, index, place)
            guard token.id < end, let bytes = whisper_token_to_str(context, token.id) else { return nil }
            let time = token.t_dtw >= 0 ? Int(token.t_dtw) : nil
            return Window.Token(
                id: token.id, bytes: Array(UnsafeRawBufferPointer(start: bytes, count: strlen(bytes))), logprob: Double(token.plog),
                end: time)
        }
        return Window.Segment(
            start: Int(whisper_full_get_segment_t0_from_state(state, index)),
            end: Int(whisper_full_get_segment_t1_from_state(state, index)), text: text,
            tokens: tokens, noSpeechProbability: Double(whisper_full_get_segment_no_speech_prob_from_state(state, index)))
    }

}

extension APIError {
    static func unusableRecognizer(_ path: String, _ reason: String?) -> APIError {
        APIError(
            .invalidRequest, "\(path) cannot be loaded: \(reason ?? "whisper.cpp refused it").",
            remedy: "Copy the file again from where it came.")
    }
}
