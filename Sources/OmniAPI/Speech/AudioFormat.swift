/// How sound travels in a reply.
public enum AudioFormat: String, CaseIterable, Sendable {
    /// 16-bit little-endian samples behind a RIFF header.
    case wav
    /// 16-bit little-endian samples and nothing else.
    case pcm
    case flac, mp3
    /// Opus in an Ogg container.
    case opus
    /// AAC with ADTS headers.
    case aac

    /// The `Content-Type` of a reply in this format.
    public var contentType: String {
        switch self {
        case .wav: "audio/wav"
        case .pcm: "audio/pcm"
        case .flac: "audio/flac"
        case .mp3: "audio/mpeg"
        case .opus: "audio/ogg"
        case .aac: "audio/aac"
        }
    }
}
