/// What a picture file says about itself before any pixel is decoded.
struct ImageHeader: Equatable {
    /// Pixels; nil where the header does not say.
    var width: Int?
    var height: Int?
    /// EXIF's orientation, 1…8; 1 is upright.
    var orientation = 1

    init(_ file: [UInt8], format: ImageFormat) {
        let reader = ByteReader(bytes: file)
        switch format {
        case .png: readPNG(reader)
        case .jpeg: readJPEG(reader)
        case .webp: readWebP(reader)
        case .gif: (width, height) = (reader.little(6, 2), reader.little(8, 2))
        case .bmp: readBMP(reader)
        }
    }

    private mutating func readPNG(_ reader: ByteReader) {
        (width, height) = (reader.big(16, 4), reader.big(20, 4))
        var place = 8
        while let length = reader.big(place, 4), let name = reader.text(place + 4, 4), name != "IEND" {
            if name == "eXIf" { orientation = exifOrientation(reader, at: place + 8, length: length) ?? 1 }
            place += 12 + length
        }
    }

    private mutating func readJPEG(_ reader: ByteReader) {
        var place = 2
        while let mark = reader.byte(place), let kind = reader.byte(place + 1), mark == 0xFF {
            if kind == 0xFF { place += 1; continue }
            if kind == 0x01 || (0xD0...0xD8).contains(kind) { place += 2; continue }
            // Start of scan, end of image: no more headers.
            guard kind != 0xDA, kind != 0xD9, let length = reader.big(place + 2, 2), length >= 2 else { return }
            if (0xC0...0xCF).contains(kind), ![0xC4, 0xC8, 0xCC].contains(kind) {
                (height, width) = (reader.big(place + 5, 2), reader.big(place + 7, 2))
            }
            if kind == 0xE1, reader.text(place + 4, 6) == "Exif\0\0" {
                orientation = exifOrientation(reader, at: place + 10, length: length - 8) ?? orientation
            }
            place += 2 + length
        }
    }

    private mutating func readWebP(_ reader: ByteReader) {
        var place = 12
        while let name = reader.text(place, 4), let length = reader.little(place + 4, 4) {
            let data = place + 8
            switch name {
            case "VP8X":
                (width, height) = (reader.little(data + 4, 3).map { $0 + 1 }, reader.little(data + 7, 3).map { $0 + 1 })
            case "VP8 " where width == nil:
                (width, height) = (reader.little(data + 6, 2).map { $0 & 0x3FFF }, reader.little(data + 8, 2).map { $0 & 0x3FFF })
            case "VP8L" where width == nil:
                let bits = reader.little(data + 1, 4)
                (width, height) = (bits.map { ($0 & 0x3FFF) + 1 }, bits.map { (($0 >> 14) & 0x3FFF) + 1 })
            case "EXIF":
                let skipped = reader.text(data, 6) == "Exif\0\0" ? 6 : 0
                orientation = exifOrientation(reader, at: data + skipped, length: length - skipped) ?? 1
            default: break
            }
            place = data + length + length % 2
        }
    }

    private mutating func readBMP(_ reader: ByteReader) {
        guard let size = reader.little(14, 4) else { return }
        if size == 12 {
            (width, height) = (reader.little(18, 2), reader.little(20, 2))
        } else {
            // A negative height means rows from the top.
            (width, height) = (reader.little(18, 4), reader.little(22, 4).map { Int(abs(Int64(Int32(truncatingIfNeeded: $0)))) })
        }
    }

    /// Tag 0x0112 of the first directory of a TIFF block (Exif 2.32, 4.6.2).
    private func exifOrientation(_ reader: ByteReader, at start: Int, length: Int) -> Int? {
        guard length >= 14, let order = reader.text(start, 2), order == "II" || order == "MM" else { return nil }
        func number(_ place: Int, _ count: Int) -> Int? {
            order == "II" ? reader.little(start + place, count) : reader.big(start + place, count)
        }
        guard number(2, 2) == 42, let directory = number(4, 4), let entries = number(directory, 2) else { return nil }
        for entry in 0..<min(entries, 512) {
            let place = directory + 2 + entry * 12
            guard place + 12 <= length else { return nil }
            if number(place, 2) == 0x0112 { return number(place + 8, 2).flatMap { (1...8).contains($0) ? $0 : nil } }
        }
        return nil
    }
}
