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

    /// Hz of `pcm` for which no rate was asked: it has no header to say it in, and every client of OpenAI's takes it for granted.
    public static let pcmRate = 24_000

    /// The `Content-Type` of a reply in this format, sound of `sampleRate` Hz in it: `pcm` says the rate there.
    public func contentType(sampleRate: Int) -> String { self == .pcm ? "\(contentType); rate=\(sampleRate)" : contentType }

    /// The `Content-Type` without parameters.
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
