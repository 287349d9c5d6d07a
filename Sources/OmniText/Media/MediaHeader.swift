/// What the first bytes of a file say about it, read before anything is decoded: a small file can stand for gigabytes of
/// pixels or hours of sound.
enum MediaHeader: Equatable {
    case image(width: Int, height: Int)
    case audio(seconds: Double)

    /// Nil for bytes that begin like no picture and no sound that can be decoded.
    init?(_ bytes: [UInt8]) {
        if let image = Self.png(bytes) ?? Self.gif(bytes) ?? Self.bmp(bytes) ?? Self.webp(bytes) ?? Self.jpeg(bytes) {
            self = .image(width: image.0, height: image.1)
        } else if let seconds = Self.wav(bytes) ?? Self.flac(bytes) ?? Self.mp3(bytes) {
            self = .audio(seconds: seconds)
        } else {
            return nil
        }
    }

    private static func big(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int {
        bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) }
    }

    private static func little(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int {
        bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private static func starts(_ bytes: [UInt8], _ text: String, at: Int = 0) -> Bool {
        bytes.count >= at + text.utf8.count && bytes[at..<at + text.utf8.count].elementsEqual(text.utf8)
    }

    // MARK: Pictures

    private static func png(_ bytes: [UInt8]) -> (Int, Int)? {
        guard bytes.count >= 24, bytes[0] == 0x89, starts(bytes, "PNG", at: 1) else { return nil }
        return (big(bytes, 16, 4), big(bytes, 20, 4))
    }

    private static func gif(_ bytes: [UInt8]) -> (Int, Int)? {
        guard bytes.count >= 10, starts(bytes, "GIF8") else { return nil }
        return (little(bytes, 6, 2), little(bytes, 8, 2))
    }

    private static func bmp(_ bytes: [UInt8]) -> (Int, Int)? {
        guard bytes.count >= 26, starts(bytes, "BM") else { return nil }
        let height = Int32(truncatingIfNeeded: little(bytes, 22, 4))
        return (little(bytes, 18, 4), Int(height.magnitude))
    }

    private static func webp(_ bytes: [UInt8]) -> (Int, Int)? {
        guard bytes.count >= 30, starts(bytes, "RIFF"), starts(bytes, "WEBPVP8", at: 8) else { return nil }
        switch bytes[15] {
        case UInt8(ascii: " "): return (little(bytes, 26, 2) & 0x3FFF, little(bytes, 28, 2) & 0x3FFF)
        case UInt8(ascii: "L"):
            let bits = little(bytes, 21, 4)
            return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        default: return (little(bytes, 24, 3) + 1, little(bytes, 27, 3) + 1)
        }
    }

    private static func jpeg(_ bytes: [UInt8]) -> (Int, Int)? {
        guard bytes.count >= 4, bytes[0] == 0xFF, bytes[1] == 0xD8 else { return nil }
        var at = 2
        while at + 9 < bytes.count {
            guard bytes[at] == 0xFF else { at += 1; continue }
            let marker = bytes[at + 1]
            // Start of frame, all kinds of it.
            if (0xC0...0xCF).contains(marker), ![0xC4, 0xC8, 0xCC].contains(marker) {
                return (big(bytes, at + 7, 2), big(bytes, at + 5, 2))
            }
            at += marker == 0xFF ? 1 : (0xD0...0xD9).contains(marker) || marker <= 1 ? 2 : 2 + max(big(bytes, at + 2, 2), 2)
        }
        return nil
    }

    // MARK: Sounds

    private static func wav(_ bytes: [UInt8]) -> Double? {
        guard bytes.count >= 44, starts(bytes, "RIFF"), starts(bytes, "WAVE", at: 8) else { return nil }
        var at = 12
        var bytesPerSecond = 0
        while at + 8 <= bytes.count {
            let size = little(bytes, at + 4, 4)
            if starts(bytes, "fmt ", at: at), at + 20 <= bytes.count { bytesPerSecond = little(bytes, at + 16, 4) }
            if starts(bytes, "data", at: at) {
                return bytesPerSecond > 0 ? Double(min(size, bytes.count - at)) / Double(bytesPerSecond) : nil
            }
            at += 8 + size + size % 2
        }
        return nil
    }

    private static func flac(_ bytes: [UInt8]) -> Double? {
        guard bytes.count >= 26, starts(bytes, "fLaC") else { return nil }
        let rate = big(bytes, 18, 3) >> 4
        let samples = big(bytes, 21, 5) & 0xF_FFFF_FFFF
        return rate > 0 ? Double(samples) / Double(rate) : nil
    }

    /// Walks over all frames: their bit rates may differ.
    private static func mp3(_ bytes: [UInt8]) -> Double? {
        var at = 0
        if starts(bytes, "ID3"), bytes.count > 10 { at = 10 + bytes[6..<10].reduce(0) { $0 << 7 | Int($1 & 0x7F) } }
        var seconds = 0.0
        var strays = 0
        while at + 4 <= bytes.count, strays < 4096 {
            guard let frame = MP3Frame(bytes[at], bytes[at + 1], bytes[at + 2]) else {
                at += 1
                strays += 1
                continue
            }
            seconds += frame.seconds
            at += frame.bytes
            strays = 0
        }
        return seconds > 0 ? seconds : nil
    }
}

/// The header of one MPEG audio frame of layer III.
private struct MP3Frame {
    let seconds: Double
    let bytes: Int

    init?(_ first: UInt8, _ second: UInt8, _ third: UInt8) {
        guard first == 0xFF, second & 0xE0 == 0xE0, second >> 1 & 3 == 1 else { return nil }
        let version = second >> 3 & 3
        let rateIndex = Int(third >> 2 & 3), bitIndex = Int(third >> 4)
        guard version != 1, rateIndex < 3, (1...14).contains(bitIndex) else { return nil }
        let isFirst = version == 3
        let kilobits =
            isFirst
            ? [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320][bitIndex]
            : [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160][bitIndex]
        let rate = [44_100, 48_000, 32_000][rateIndex] / (isFirst ? 1 : version == 2 ? 2 : 4)
        let samples = isFirst ? 1152 : 576
        seconds = Double(samples) / Double(rate)
        bytes = samples / 8 * kilobits * 1000 / rate + Int(third >> 1 & 1)
    }
}
