import Foundation
import OmniZip

/// The zip file that `torch.save` writes, read without trust: entries are stored as they are.
struct TorchArchive {
    /// By name without the folder that all of them lie in.
    private var entries: [String: Range<Int>] = [:]
    private let bytes: [UInt8]

    /// Of such a file.
    private static let mostBytes = 256 << 20

    init(_ data: Data) throws { try self.init([UInt8](data)) }

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        guard bytes.count <= Self.mostBytes else { throw TorchFileError("has \(bytes.count) bytes, more than a file of voices may") }
        do throws(ZipError) {
            for entry in try ZipDirectory(bytes).entries { try take(entry) }
        } catch {
            throw TorchFileError(error.reason)
        }
        guard entries["data.pkl"] != nil else { throw TorchFileError("has no data.pkl: torch.save did not write it") }
    }

    private mutating func take(_ entry: ZipEntry) throws(ZipError) {
        guard !entry.isDeflated else { throw ZipError("has a compressed entry \(entry.name); torch.save stores") }
        guard let slash = entry.name.firstIndex(of: "/") else { throw ZipError("has an entry \(entry.name) outside a folder") }
        guard entries.updateValue(entry.bytes, forKey: String(entry.name[entry.name.index(after: slash)...])) == nil else {
            throw ZipError("has two entries \(entry.name)")
        }
    }

    /// The bytes of an entry.
    func callAsFunction(_ name: String) throws -> ArraySlice<UInt8> {
        guard let range = entries[name] else { throw TorchFileError("has no entry \(name)") }
        return bytes[range]
    }
}

/// What is wrong with a file of torch's, to be said behind its name.
struct TorchFileError: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
