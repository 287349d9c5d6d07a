import Foundation

/// A little-endian reader over a file with a bounded buffer, or over bytes in memory. It never reads past the end and never trusts
/// a length.
struct GGUFInput {
    let fileSize: Int64
    /// nil for bytes in memory, all of which are in the buffer.
    private let file: FileHandle?
    private var buffer: [UInt8] = []
    private var next = 0
    /// The place in the file of the next byte to be read.
    private(set) var position: Int64 = 0
    /// Bytes that one read of the file asks for.
    private let chunk: Int

    init(url: URL, chunk: Int = 256 << 10) throws {
        let file = try FileHandle(forReadingFrom: url)
        fileSize = Int64(clamping: try file.seekToEnd())
        try file.seek(toOffset: 0)
        (self.file, self.chunk) = (file, chunk)
    }

    init(bytes: [UInt8]) {
        (file, chunk, buffer, fileSize) = (nil, 0, bytes, Int64(bytes.count))
    }

    /// Bytes between here and the end of the file.
    var remaining: Int64 { fileSize - position }

    mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws -> Number {
        let width = Number.bitWidth / 8
        try fill(width)
        let value = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: next, as: Number.self) }
        advance(width)
        return Number(littleEndian: value)
    }

    /// A 64-bit count that is at most `limit` and no more than the bytes left.
    mutating func count(limit: Int, what: String) throws -> Int {
        let value = try integer(UInt64.self)
        guard value <= UInt64(limit) else { throw GGUFError("it claims \(value) \(what)") }
        guard value <= UInt64(max(0, remaining)) else { throw GGUFError.cutShort }
        return Int(value)
    }

    /// A length-prefixed text; bytes that are not UTF-8 are replaced.
    mutating func string() throws -> String {
        let length = try count(limit: GGUFHeader.maximumString, what: "bytes of text")
        try fill(length)
        let text = String(decoding: buffer[next..<next + length], as: UTF8.self)
        advance(length)
        return text
    }

    mutating func skipString() throws {
        let length = try count(limit: GGUFHeader.maximumString, what: "bytes of text")
        try skip((length, false))
    }

    /// Passes over bytes; takes a product as checked multiplication returns it.
    mutating func skip(_ bytes: (partialValue: Int, overflow: Bool)) throws {
        guard !bytes.overflow, Int64(bytes.partialValue) <= remaining else { throw GGUFError.cutShort }
        if bytes.partialValue <= buffer.count - next {
            advance(bytes.partialValue)
        } else {
            position += Int64(bytes.partialValue)
            buffer = []
            next = 0
            try file?.seek(toOffset: UInt64(position))
        }
    }

    private mutating func advance(_ count: Int) {
        next += count
        position += Int64(count)
    }

    /// Makes `count` bytes available in the buffer.
    private mutating func fill(_ count: Int) throws {
        guard buffer.count - next < count else { return }
        guard Int64(count) <= remaining else { throw GGUFError.cutShort }
        buffer.removeFirst(next)
        next = 0
        while buffer.count < count {
            guard let more = try file?.read(upToCount: max(chunk, count - buffer.count)), !more.isEmpty else {
                throw GGUFError.cutShort
            }
            buffer.append(contentsOf: more)
        }
    }
}
