import Foundation
import NIOPosix
import OmniAPI
import OmniEngine
import OmniMedia

/// What a speech request may ask of a model, and how it becomes work for the engine.
enum SpeechRules {
    /// Most codec tokens of one answer, as Qwen3-TTS has it.
    private static let mostNewTokens = 4096
    /// Hz that requests may ask for.
    static let sampleRates = 8000...48_000
    private static let languages: Set<String> = [
        "auto", "chinese", "english", "japanese", "korean", "german", "french", "russian", "portuguese", "spanish", "italian",
    ]

    /// Throws what is wrong with a request for a model of these abilities. Whether a voice exists is the engine's to say.
    static func check(_ request: SpeechRequest, abilities: SpeechAbilities) throws {
        guard request.input.contains(where: { !$0.isWhitespace }) else { throw APIError.invalid("input", "Input text cannot be empty") }
        guard !request.wordTimestamps else {
            throw APIError.invalid("word_timestamps", "word_timestamps needs a forced aligner, which no served model has.")
        }
        if let rate = request.sampleRate, !sampleRates.contains(rate) {
            throw APIError.invalid("sample_rate", "sample_rate must be from 8000 to 48000, not \(rate).")
        }
        if let tokens = request.maxNewTokens, tokens > mostNewTokens {
            throw APIError.invalid("max_new_tokens", "max_new_tokens must be at most \(mostNewTokens), not \(tokens).")
        }
        if let language = request.language, !isLanguage(language) {
            throw APIError.invalid(
                "language", "Unknown language '\(language)'.",
                remedy: "Use a BCP 47 code or one of: \(languages.sorted().map(\.capitalized).joined(separator: ", ")).")
        }
        try checkCloning(request, abilities: abilities)
    }

    private static func checkCloning(_ request: SpeechRequest, abilities: SpeechAbilities) throws {
        let hasSample = !request.samples.isEmpty
        switch request.taskType {
        case .voiceDesign: throw APIError.invalid("task_type", "This model cannot design a voice from a description.")
        case .base where !abilities.clones:
            throw APIError.invalid("task_type", "This model cannot imitate a voice.", remedy: "Its own voices are at GET /v1/audio/voices.")
        case .base where !hasSample: throw APIError.invalid("ref_audio", "task_type Base needs ref_audio.")
        default: break
        }
        guard hasSample else {
            if request.sampleText != nil { throw APIError.invalid("ref_text", "ref_text needs ref_audio beside it.") }
            if request.xVectorOnlyMode == true { throw APIError.invalid("x_vector_only_mode", "x_vector_only_mode needs ref_audio.") }
            if request.speakerEmbedding != nil {
                throw APIError.invalid("speaker_embedding", "This model does not take speaker embeddings.", remedy: "Send ref_audio.")
            }
            return
        }
        guard abilities.clones else {
            throw APIError.invalid("ref_audio", "This model cannot imitate a voice.", remedy: "Its own voices are at GET /v1/audio/voices.")
        }
        guard request.samples.count == 1 else { throw APIError.invalid("ref_audio", "One sample is taken, not \(request.samples.count).") }
    }

    /// A name of the wire's list in any case, or what looks like a BCP 47 code.
    private static func isLanguage(_ text: String) -> Bool {
        if languages.contains(text.lowercased()) { return true }
        let parts = text.split(whereSeparator: { "-_".contains($0) })
        guard let first = parts.first, (2...3).contains(first.count) else { return false }
        return parts.allSatisfy { $0.count <= 8 && $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) } }
    }

    /// Fields of a request that change nothing with this model.
    static func ignored(_ request: SpeechRequest, abilities: SpeechAbilities) -> [String] {
        var names: [String] = []
        if request.instructions?.isEmpty == false, !abilities.honoursInstructions { names.append("instructions") }
        if request.refAudio2 != nil { names.append("ref_audio_2") }
        if request.ambientSound != nil { names.append("ambient_sound") }
        if request.durationSeconds != nil { names.append("duration_seconds") }
        if request.maxNewTokens != nil { names.append("max_new_tokens") }
        if request.initialCodecChunkFrames != nil { names.append("initial_codec_chunk_frames") }
        if request.nonStreamingMode != nil { names.append("non_streaming_mode") }
        if request.extraParams != nil { names.append("extra_params") }
        return names
    }

    /// The engine's order, with the sample fetched and decoded.
    static func synthesis(_ request: SpeechRequest, fetcher: any MediaFetcher) async throws -> SpeechSynthesis {
        var synthesis = SpeechSynthesis(
            text: request.input, voice: request.wantedVoice, speed: request.speed, sampleRate: request.replyRate,
            language: request.language,
            instructions: request.instructions, seed: request.seed)
        if let uri = request.samples.first { synthesis.reference = try await reference(uri, text: request.sampleText, fetcher: fetcher) }
        return synthesis
    }

    private static func reference(_ uri: String, text: String?, fetcher: any MediaFetcher) async throws -> ReferenceVoice {
        let limits = AudioLimits.voiceSample
        let bytes: [UInt8]
        var id: String?
        if uri.hasPrefix("file://") {
            // Only the gateway can say this: it refuses it from clients.
            let path = String(uri.dropFirst("file://".count))
            id = path.split(separator: "/").last.map(String.init)
            guard let data = FileManager.default.contents(atPath: path) else {
                throw APIError.invalid("voice", "The voice's sample is no longer there.")
            }
            bytes = Array(data)
        } else if uri.hasPrefix("data:") {
            guard let comma = uri.firstIndex(of: ","), let data = Base64.decode(String(uri[uri.index(after: comma)...])) else {
                throw APIError.invalid("ref_audio", "ref_audio is not a data: URL with base64 content.")
            }
            bytes = Array(data)
        } else {
            bytes = try await fetcher.fetch(uri, limit: limits.fileBytes, param: "ref_audio")
        }
        let clip = try await NIOThreadPool.singleton.runIfActive { try AudioDecoder.decode(bytes, limits: limits).mono }
        return ReferenceVoice(samples: clip.samples, sampleRate: clip.sampleRate, text: text, id: id)
    }
}
