import OmniAPI
import OmniEngine
import OmniGGUF
import OmniLlama

/// The architectures of speech models that libmtmd computes.
public enum LlamaSpeechFamily: String, Sendable, CaseIterable {
    /// Qwen3-TTS: a language model writes codes at 12.5 Hz, a small one fifteen more for each, a decoder makes sound of them.
    case qwen3tts
    /// Pocket TTS: a language model whose hidden states become latents at 12.5 Hz by flow matching, and Mimi's decoder.
    case pockettts

    /// Frames whose sound may be taken after `count` frames of a unit.
    ///
    /// Qwen3-TTS's decoder works in windows of 72 frames, and asking within one spoils the next: its end counts as the sound's.
    /// Mimi's may be asked at any time: first early, so that something is heard, then at a pace that costs little.
    func hasSound(after count: Int) -> Bool {
        switch self {
        case .qwen3tts: count.isMultiple(of: 72)
        case .pockettts: count == 2 || count.isMultiple(of: 4)
        }
    }

    private var kind: VoiceKind? { VoiceKind.gguf(architecture: rawValue) }

    /// Speaks with a sample's voice only: without one Pocket TTS makes next to no sound.
    var needsSample: Bool { kind?.hasOwnVoices == false }
    /// The language is the request's to choose, not the weights'.
    var takesLanguage: Bool { kind?.takesLanguage ?? false }
    /// The weights' language: `en`.
    var language: String? { kind?.language }
}

/// The two files of a speech model, checked as far as their headers tell before anything is loaded.
struct LlamaSpeechFiles {
    let model: String
    let projector: String
    let family: LlamaSpeechFamily

    /// Throws ``APIError`` naming the file and its fault.
    init(model: String, projector: String?) throws {
        let header = try ModelFile(path: model).header
        guard let family = LlamaSpeechFamily(rawValue: header.architecture) else {
            throw APIError.unusableVoice(model, "its architecture is \(header.architecture), which does not speak")
        }
        guard let projector else {
            throw APIError(
                .internalError, "The speech model \(model) has no projector, which turns its codes into sound.",
                remedy: "Put the mmproj file that was published with it into the same folder.")
        }
        let other = try ModelFile(path: projector).header
        let type = other.string("clip.gen.audio.projector_type") ?? "none"
        guard type == "\(family.rawValue)_gen" else {
            throw APIError.unusableVoice(projector, "its generator of sound is of type \(type); \(model) needs \(family.rawValue)_gen")
        }
        self.model = model
        self.projector = projector
        self.family = family
    }
}
