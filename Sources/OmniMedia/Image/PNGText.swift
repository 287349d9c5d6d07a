/// Text chunks of PNG files (PNG specification, 11.3.4): `tEXt` for plain ASCII, `iTXt` for everything else.
enum PNGText {
    /// Adds texts behind the header chunk; a file without one is returned as it is.
    static func insert(_ texts: [(keyword: String, text: String)], into png: [UInt8]) -> [UInt8] {
        // Signature, then IHDR: length, name, 13 bytes, checksum.
        let headerEnd = 8 + 4 + 4 + 13 + 4
        guard png.count > headerEnd else { return png }
        let chunks = texts.flatMap { chunk(keyword: $0.keyword, text: $0.text) }
        return Array(png[..<headerEnd]) + chunks + Array(png[headerEnd...])
    }

    /// The texts of a PNG file, in their order.
    static func read(_ png: [UInt8]) -> [(keyword: String, text: String)] {
        let reader = ByteReader(bytes: png)
        var texts: [(keyword: String, text: String)] = []
        var place = 8
        while let length = reader.big(place, 4), let name = reader.text(place + 4, 4), place + 12 + length <= png.count {
            let data = png[place + 8..<place + 8 + length]
            if name == "tEXt" || name == "iTXt", let end = data.firstIndex(of: 0) {
                // iTXt: two bytes on compression, then language and translated keyword, each ended by a zero.
                var start = end + 1
                if name == "iTXt" {
                    start += 2
                    for _ in 0..<2 { start = (data[min(start, data.endIndex)...].firstIndex(of: 0) ?? data.endIndex - 1) + 1 }
                }
                texts.append(
                    (String(decoding: data[..<end], as: UTF8.self), String(decoding: data[min(start, data.endIndex)...], as: UTF8.self)))
            }
            place += 12 + length
        }
        return texts
    }

    private static func chunk(keyword: String, text: String) -> [UInt8] {
        // A keyword has 1 to 79 printable characters; zeros would end the text.
        let keyword = keyword.utf8.filter { (32...126).contains($0) }.prefix(79)
        let text = text.utf8.filter { $0 != 0 }
        guard !keyword.isEmpty else { return [] }
        let plain = text.allSatisfy { $0 < 128 }
        let body = Array(plain ? "tEXt".utf8 : "iTXt".utf8) + keyword + (plain ? [0] : [0, 0, 0, 0, 0]) + text
        return bigEndian(UInt32(body.count - 4)) + body + bigEndian(CRC32.checksum(body))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
}

extension ImageCodec {
    /// The texts stored in a PNG file, in their order; none for other files.
    public static func texts(in file: [UInt8]) -> [(keyword: String, text: String)] {
        ImageFormat(signatureOf: file) == .png ? PNGText.read(file) : []
    }
}
