/// 16-bit little-endian samples, and the RIFF header that makes them a WAV file.
public enum PCM {
    /// Samples of −1…1 as s16le; louder ones are clipped, NaN is silence.
    public static func bytes(_ samples: [Float]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: samples.count * 2) { buffer, count in
            for (index, sample) in samples.enumerated() {
                let value = sample16(sample)
                buffer[index * 2] = UInt8(truncatingIfNeeded: value)
                buffer[index * 2 + 1] = UInt8(truncatingIfNeeded: value >> 8)
            }
            count = samples.count * 2
        }
    }

    /// s16le bytes as samples; an odd last byte is left out.
    public static func samples(_ bytes: [UInt8]) -> [Float] {
        (0..<bytes.count / 2).map { index in
            Float(Int16(bitPattern: UInt16(bytes[index * 2]) | UInt16(bytes[index * 2 + 1]) << 8)) / 32768
        }
    }

    private static func sample16(_ sample: Float) -> Int16 {
        guard !sample.isNaN else { return 0 }
        return Int16(max(-32768, min(32767, (sample * 32767).rounded())))
    }

    /// The 44 bytes before the samples of a 16-bit WAV file. `dataBytes` nil: the length is not known yet, and both sizes are
    /// 0xFFFFFFFF, as players of streams expect.
    public static func wavHeader(sampleRate: Int, channels: Int, dataBytes: Int?) -> [UInt8] {
        let known = dataBytes.flatMap { $0 <= Int(UInt32.max) - 36 ? UInt32($0) : nil }
        let block = UInt32(channels * 2)
        var header: [UInt8] = []
        header.reserveCapacity(44)
        func append(_ text: StaticString) { text.withUTF8Buffer { header.append(contentsOf: $0) } }
        func append16(_ value: UInt32) { header += [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)] }
        func append32(_ value: UInt32) { append16(value); append16(value >> 16) }
        append("RIFF"); append32(known.map { $0 + 36 } ?? .max)
        append("WAVEfmt "); append32(16)
        append16(1); append16(UInt32(channels)); append32(UInt32(sampleRate)); append32(UInt32(sampleRate) * block)
        append16(block); append16(16)
        append("data"); append32(known ?? .max)
        return header
    }
}
