import CZlib
import Foundation

/// A zip file on the disk, of which nothing is in memory but what is being read.
public struct ZipArchive {
    public let entries: [ZipEntry]
    private let data: Data

    public init(_ file: URL) throws {
        data = try Data(contentsOf: file, options: .alwaysMapped)
        entries = try ZipDirectory(data).entries
    }

    /// Hands the bytes of an entry to `write`, a piece at a time. Throws ``ZipError`` where they are not what the list says.
    public func read(_ entry: ZipEntry, _ write: (Data) throws -> Void) throws {
        guard entry.isDeflated else {
            for start in stride(from: entry.bytes.lowerBound, to: entry.bytes.upperBound, by: Self.piece) {
                try write(data[start..<min(start + Self.piece, entry.bytes.upperBound)])
            }
            return
        }
        try data[entry.bytes].withUnsafeBytes { packed in
            var stream = z_stream()
            // No zlib head: what a zip file holds is bare.
            guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
                throw ZipError("cannot be read: there is no memory")
            }
            defer { inflateEnd(&stream) }
            stream.next_in = UnsafeMutablePointer(mutating: packed.bindMemory(to: UInt8.self).baseAddress)
            stream.avail_in = UInt32(packed.count)
            var output = Data(count: Self.piece)
            var (made, status) = (0, Z_OK)
            while status == Z_OK {
                output.withUnsafeMutableBytes { space in
                    stream.next_out = space.bindMemory(to: UInt8.self).baseAddress
                    stream.avail_out = UInt32(Self.piece)
                    status = inflate(&stream, Z_NO_FLUSH)
                }
                let count = Self.piece - Int(stream.avail_out)
                made += count
                guard made <= entry.size else { break }
                try write(output.prefix(count))
            }
            guard status == Z_STREAM_END, made == entry.size else { throw ZipError("has a damaged entry \(entry.name)") }
        }
    }

    /// Bytes that are made at a time.
    private static let piece = 1 << 20
}
