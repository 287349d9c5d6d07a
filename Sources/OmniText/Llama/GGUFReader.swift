import CLlama
import Foundation

/// Reads a GGUF file's head from front to back, a block at a time.
struct GGUFReader {
    enum Fault: Error {
        case foreign
        case short
        case damaged(String)
    }

    enum Value {
        case number(UInt64)
        case text(String)
        case other
    }

    private let file: FileHandle
    private let size: UInt64
    private var buffer: [UInt8] = []
    private var position = 0
    /// Bytes read so far.
    private(set) var offset: UInt64 = 0

    init(file: FileHandle, size: UInt64) {
        self.file = file
        self.size = size
    }

    mutating func bytes(_ count: UInt64) throws -> [UInt8] {
        guard count <= size - min(offset, size) else { throw Fault.short }
        let count = Int(count)
        if buffer.count - position < count {
            buffer.removeFirst(position)
            position = 0
            while buffer.count < count {
                guard let more = try? file.read(upToCount: max(count - buffer.count, 1 << 20)), !more.isEmpty else { throw Fault.short }
                buffer.append(contentsOf: more)
            }
        }
        defer {
            position += count
            offset += UInt64(count)
        }
        return Array(buffer[position..<position + count])
    }

    mutating func skip(_ count: UInt64) throws {
        guard count <= size - min(offset, size) else { throw Fault.short }
        var left = count
        while left > 0 {
            let step = min(left, 1 << 20)
            _ = try bytes(step)
            left -= step
        }
    }

    mutating func integer<Number: FixedWidthInteger>(_: Number.Type) throws -> Number {
        try bytes(UInt64(MemoryLayout<Number>.size)).enumerated().reduce(0) { $0 | Number(truncatingIfNeeded: $1.element) << Number($1.offset * 8) }
    }

    mutating func text() throws -> String {
        let length = try integer(UInt64.self)
        return String(decoding: try bytes(length), as: UTF8.self)
    }

    mutating func value() throws -> Value { try value(type: integer(UInt32.self), depth: 0) }

    private mutating func value(type: UInt32, depth: Int) throws -> Value {
        switch Int32(bitPattern: type) {
        case Int32(GGUF_TYPE_STRING.rawValue): return .text(try text())
        case Int32(GGUF_TYPE_ARRAY.rawValue):
            guard depth < 4 else { throw Fault.damaged("its lists are nested too deep") }
            let element = try integer(UInt32.self)
            let count = try integer(UInt64.self)
            if let width = Self.width(element) {
                let (bytes, overflows) = count.multipliedReportingOverflow(by: width)
                guard !overflows else { throw Fault.short }
                try skip(bytes)
            } else {
                guard count <= size else { throw Fault.short }
                for _ in 0..<count { _ = try value(type: element, depth: depth + 1) }
            }
            return .other
        default:
            guard let width = Self.width(type) else { throw Fault.damaged("a setting has the unknown type \(type)") }
            return .number(try bytes(width).enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64($1.offset * 8) })
        }
    }

    /// Bytes of a value of a plain type; nil for texts and lists.
    private static func width(_ type: UInt32) -> UInt64? {
        switch type {
        case 0, 1, 7: 1
        case 2, 3: 2
        case 4, 5, 6: 4
        case 10, 11, 12: 8
        default: nil
        }
    }

    /// Bytes of `elements` values of a ggml type; nil for a type that this ggml does not know.
    static func byteCount(type: UInt32, elements: UInt64) -> UInt64? {
        guard type < UInt32(GGML_TYPE_COUNT.rawValue) else { return nil }
        let kind = ggml_type(rawValue: type)
        let block = UInt64(clamping: ggml_blck_size(kind))
        guard block > 0 else { return nil }
        let (bytes, overflows) = (elements / block).multipliedReportingOverflow(by: UInt64(ggml_type_size(kind)))
        return overflows ? nil : bytes
    }
}
