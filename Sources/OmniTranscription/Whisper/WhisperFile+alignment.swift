import CWhisper
import OmniGGUF

extension WhisperFile {
    /// whisper.cpp's name for the attention heads that follow the sound; nil where OpenAI has not told them: the last layer's are taken then.
    var alignmentHeads: whisper_alignment_heads_preset? {
        switch size {
        case "tiny": WHISPER_AHEADS_TINY
        case "tiny.en": WHISPER_AHEADS_TINY_EN
        case "base": WHISPER_AHEADS_BASE
        case "base.en": WHISPER_AHEADS_BASE_EN
        case "small": WHISPER_AHEADS_SMALL
        case "small.en": WHISPER_AHEADS_SMALL_EN
        case "medium": WHISPER_AHEADS_MEDIUM
        case "medium.en": WHISPER_AHEADS_MEDIUM_EN
        case "large-v3" where textLayers == 32: WHISPER_AHEADS_LARGE_V3
        case "large-v3-turbo" where bands == 128: WHISPER_AHEADS_LARGE_V3_TURBO
        case "large" where textLayers == 32: WHISPER_AHEADS_LARGE_V2
        default: nil
        }
    }
}
