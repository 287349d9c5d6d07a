/// The list of entries of a zip file, read without trust: every size and offset is checked. Entries are stored or deflated, none is
/// encrypted or has four gigabytes or more.
public struct ZipDirectory<Bytes: RandomAccessCollection<UInt8>> where Bytes.Index == Int {
    /// In the list's order.
    public private(set) var entries: [ZipEntry] = []
    private let bytes: Bytes

    /// Most entries of a file.
    private static var mostEntries: Int { 4096 }

    /// - Parameter bytes: the file, from index zero on.
    public init(_ bytes: Bytes) throws(ZipError) {
        self.bytes = bytes
        let (count, directory) = try Self.directory(bytes)
        var place = directory.lowerBound
        for _ in 0..<count {
            let (entry, next) = try entry(at: place, before: directory.upperBound)
            entries.append(entry)
            place = next
        }
    }

    /// Little-endian; nil behind the end.
    private static func number(_ bytes: Bytes, _ place: Int, _ width: Int) -> Int? {
        guard place >= 0, place <= bytes.count - width else { return nil }
        return (0..<width).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }

    /// Entries, and where the list of them lies: by the record at the file's end, behind which only a comment may follow.
    private static func directory(_ bytes: Bytes) throws(ZipError) -> (count: Int, range: Range<Int>) {
        let last = bytes.count - 22
        let mark = last < 0 ? nil : stride(from: last, through: max(0, last - 65_535), by: -1).first { number(bytes, $0, 4) == 0x0605_4b50 }
        guard let mark, let count = number(bytes, mark + 10, 2), let size = number(bytes, mark + 12, 4),
            let start = number(bytes, mark + 16, 4)
        else { throw ZipError("is no zip file, or is cut short") }
        guard count < mostEntries, start <= mark, size <= mark - start else {
            throw ZipError("has a list of \(count) entries at \(start), \(size) bytes long, in \(bytes.count) bytes")
        }
        return (count, start..<start + size)
    }

    private func entry(at place: Int, before end: Int) throws(ZipError) -> (ZipEntry, next: Int) {
        func field(_ offset: Int, _ width: Int) -> Int { Self.number(bytes, place + offset, width) ?? 0 }
        guard place <= end - 46, field(0, 4) == 0x0201_4b50 else { throw ZipError("has a broken list of entries") }
        let (nameLength, extra, comment) = (field(28, 2), field(30, 2), field(32, 2))
        let next = place + 46 + nameLength + extra + comment
        guard next <= end, let name = String(validating: bytes[place + 46..<place + 46 + nameLength], as: UTF8.self) else {
            throw ZipError("has a broken list of entries")
        }
        guard field(8, 2) & 1 == 0 else { throw ZipError("has an encrypted entry \(name)") }
        let (method, packed, size, header) = (field(10, 2), field(20, 4), field(24, 4), field(42, 4))
        guard method == 8 || method == 0 && packed == size else {
            throw ZipError("has an entry \(name) in a form (\(method)) that is not read here")
        }
        guard size < 0xffff_ffff, packed < 0xffff_ffff, header < 0xffff_ffff else {
            throw ZipError("has an entry \(name) of four gigabytes or more")
        }
        guard Self.number(bytes, header, 4) == 0x0403_4b50, let length = Self.number(bytes, header + 26, 2),
            let more = Self.number(bytes, header + 28, 2)
        else {
            throw ZipError("has no entry \(name) where its list says")
        }
        let start = header + 30 + length + more
        guard length == nameLength, start <= bytes.count, packed <= bytes.count - start,
            bytes[header + 30..<header + 30 + length].elementsEqual(bytes[place + 46..<place + 46 + nameLength])
        else { throw ZipError("has an entry \(name) that ends behind the file, or is another's") }
        return (ZipEntry(name: name, bytes: start..<start + packed, size: size, isDeflated: method == 8), next)
    }
}
