import OmniAPI
import OmniMedia

/// Sound of a session in the forms that models take.
extension RealtimeAudioFormat {
    /// 16-bit samples at ``sampleRate``; an odd last byte of `audio/pcm` is left out.
    func samples(of bytes: some Collection<UInt8>) -> [Int16] {
        switch self {
        case .pcm:
            var samples: [Int16] = []
            samples.reserveCapacity(bytes.count / 2)
            var low: UInt8?
            for byte in bytes {
                if let first = low {
                    samples.append(Int16(bitPattern: UInt16(first) | UInt16(byte) << 8))
                    low = nil
                } else {
                    low = byte
                }
            }
            return samples
        case .pcmu: return G711.decode(bytes, .mu)
        case .pcma: return G711.decode(bytes, .a)
        }
    }

    /// s16le bytes at ``sampleRate`` in this form.
    func coded(pcm bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .pcm: bytes
        case .pcmu: G711.encode(Self.pcm.samples(of: bytes), .mu)
        case .pcma: G711.encode(Self.pcm.samples(of: bytes), .a)
        }
    }

    /// Sound in this form as a WAV file of 16-bit samples.
    func wav(_ bytes: [UInt8]) -> [UInt8] {
        guard self != .pcm else { return Self.wav(pcm: bytes, sampleRate: sampleRate) }
        let sound = samples(of: bytes).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        return Self.wav(pcm: sound, sampleRate: sampleRate)
    }

    /// s16le bytes as a WAV file; an odd last byte is left out.
    static func wav(pcm bytes: [UInt8], sampleRate: Int) -> [UInt8] {
        let count = bytes.count / 2 * 2
        return PCM.wavHeader(sampleRate: sampleRate, channels: 1, dataBytes: count) + bytes.prefix(count)
    }
}
