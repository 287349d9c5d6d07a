import OmniMedia

/// A zip file of stored entries (APPNOTE 6.3.10, 4.3): pictures are compressed already.
struct ZipArchive {
    private struct Entry {
        let name: [UInt8]
        let checksum: UInt32
        let size: UInt32
        let offset: UInt32
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    /// Adds a file. Names are ours; all files together must be under 4 GiB.
    mutating func add(_ name: String, _ content: [UInt8]) {
        let entry = Entry(
            name: Array(name.utf8), checksum: CRC32.checksum(content), size: UInt32(truncatingIfNeeded: content.count),
            offset: UInt32(truncatingIfNeeded: bytes.count))
        bytes += Self.little(0x0403_4B50 as UInt32) + Self.little(20 as UInt16) + common(entry) + entry.name + content
        entries.append(entry)
    }

    /// The whole file.
    func finished() -> [UInt8] {
        var out = bytes
        for entry in entries {
            out += Self.little(0x0201_4B50 as UInt32) + Self.little(20 as UInt16) + Self.little(20 as UInt16) + common(entry)
            // No comment, first disk, no attributes.
            out += [UInt8](repeating: 0, count: 10) + Self.little(entry.offset) + entry.name
        }
        let count = UInt16(truncatingIfNeeded: entries.count)
        out += Self.little(0x0605_4B50 as UInt32) + [0, 0, 0, 0] + Self.little(count) + Self.little(count)
        out +=
            Self.little(UInt32(truncatingIfNeeded: out.count - 12 - bytes.count)) + Self.little(UInt32(truncatingIfNeeded: bytes.count)) + [
                0, 0,
            ]
        return out
    }

    /// From the flags to the length of the extra field: UTF-8 names, stored, 1980-01-01.
    private func common(_ entry: Entry) -> [UInt8] {
        Self.little(0x0800 as UInt16) + Self.little(0 as UInt16) + Self.little(0 as UInt16) + Self.little(0x0021 as UInt16)
            + Self.little(entry.checksum)
            + Self.little(entry.size) + Self.little(entry.size) + Self.little(UInt16(entry.name.count)) + Self.little(0 as UInt16)
    }

    private static func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
}
