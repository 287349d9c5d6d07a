import Foundation

/// The zip file that `torch.save` writes, read without trust: entries are stored as they are, and every size and offset is checked.
struct TorchArchive {
    /// By name without the folder that all of them lie in.
    private var entries: [String: Range<Int>] = [:]
    private let bytes: [UInt8]

    /// Most bytes of such a file, and most entries.
    private static let limits = (bytes: 256 << 20, entries: 4096)

    init(_ data: Data) throws { try self.init([UInt8](data)) }

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        guard bytes.count <= Self.limits.bytes else { throw TorchFileError("has \(bytes.count) bytes, more than a file of voices may") }
        let (count, directory) = try Self.directory(bytes)
        var place = directory.lowerBound
        for _ in 0..<count {
            let (name, data, next) = try Self.entry(bytes, at: place, before: directory.upperBound)
            place = next
            guard let slash = name.firstIndex(of: "/") else { throw TorchFileError("has an entry \(name) outside a folder") }
            guard entries.updateValue(data, forKey: String(name[name.index(after: slash)...])) == nil else {
                throw TorchFileError("has two entries \(name)")
            }
        }
        guard entries["data.pkl"] != nil else { throw TorchFileError("has no data.pkl: torch.save did not write it") }
    }

    /// The bytes of an entry.
    func callAsFunction(_ name: String) throws -> ArraySlice<UInt8> {
        guard let range = entries[name] else { throw TorchFileError("has no entry \(name)") }
        return bytes[range]
    }

    /// Little-endian; nil behind the end.
    private static func number(_ bytes: [UInt8], _ place: Int, _ width: Int) -> Int? {
        guard place >= 0, place <= bytes.count - width else { return nil }
        return (0..<width).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }

    /// Entries, and where the list of them lies: by the record at the file's end, behind which only a comment may follow.
    private static func directory(_ bytes: [UInt8]) throws -> (count: Int, range: Range<Int>) {
        let last = bytes.count - 22
        let mark = last < 0 ? nil : stride(from: last, through: max(0, last - 65_535), by: -1).first { number(bytes, $0, 4) == 0x0605_4b50 }
        guard let mark, let count = number(bytes, mark + 10, 2), let size = number(bytes, mark + 12, 4),
            let start = number(bytes, mark + 16, 4)
        else { throw TorchFileError("is no zip file, or is cut short") }
        guard count < limits.entries, start <= mark, size <= mark - start else {
            throw TorchFileError("has a list of \(count) entries at \(start), \(size) bytes long, in \(bytes.count) bytes")
        }
        return (count, start..<start + size)
    }

    private static func entry(_ bytes: [UInt8], at place: Int, before end: Int) throws -> (name: String, data: Range<Int>, next: Int) {
        func field(_ offset: Int, _ width: Int) -> Int { number(bytes, place + offset, width) ?? 0 }
        guard place <= end - 46, field(0, 4) == 0x0201_4b50 else { throw TorchFileError("has a broken list of entries") }
        let (nameLength, extra, comment) = (field(28, 2), field(30, 2), field(32, 2))
        let next = place + 46 + nameLength + extra + comment
        guard next <= end, let name = String(validating: bytes[place + 46..<place + 46 + nameLength], as: UTF8.self) else {
            throw TorchFileError("has a broken list of entries")
        }
        guard field(8, 2) & 1 == 0 else { throw TorchFileError("has an encrypted entry \(name)") }
        guard field(10, 2) == 0, field(20, 4) == field(24, 4) else {
            throw TorchFileError("has a compressed entry \(name); torch.save stores")
        }
        let (size, header) = (field(24, 4), field(42, 4))
        guard size < 0xffff_ffff, header < 0xffff_ffff else { throw TorchFileError("has an entry \(name) of four gigabytes or more") }
        guard number(bytes, header, 4) == 0x0403_4b50, let length = number(bytes, header + 26, 2), let more = number(bytes, header + 28, 2)
        else {
            throw TorchFileError("has no entry \(name) where its list says")
        }
        let start = header + 30 + length + more
        guard length == nameLength, start <= bytes.count, size <= bytes.count - start,
            bytes[header + 30..<header + 30 + length].elementsEqual(bytes[place + 46..<place + 46 + nameLength])
        else { throw TorchFileError("has an entry \(name) that ends behind the file, or is another's") }
        return (name, start..<start + size, next)
    }
}

/// What is wrong with a file of torch's, to be said behind its name.
struct TorchFileError: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
