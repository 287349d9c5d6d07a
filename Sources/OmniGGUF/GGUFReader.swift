import Foundation

extension GGUFHeader {
    /// More than any real model has; a count above is a damaged or hostile file.
    static let maximumEntries = 1 << 20
    /// Longest key, name or text, bytes. Chat templates are the longest texts and stay well below.
    static let maximumString = 1 << 24

    /// Reads the header of the file at `url`. Blocks on the disk. Throws ``GGUFError`` for what is no GGUF, and the system's
    /// error for a file that cannot be read.
    public init(readingFrom url: URL) throws { try self.init(GGUFInput(url: url)) }

    /// The same, asking the file for `chunk` bytes at a time.
    init(readingFrom url: URL, chunk: Int) throws { try self.init(GGUFInput(url: url, chunk: chunk)) }

    /// Reads the header at the start of `bytes`, which are taken for the whole file.
    init(bytes: [UInt8]) throws { try self.init(GGUFInput(bytes: bytes)) }

    private init(_ input: GGUFInput) throws {
        var input = input
        fileSize = input.fileSize
        guard fileSize > 0 else { throw GGUFError.cutShort }
        guard try input.integer(UInt32.self) == 0x4655_4747 else { throw GGUFError("it is not a GGUF file") }
        version = Int(try input.integer(UInt32.self))
        guard version == 2 || version == 3 else {
            throw GGUFError(version == 1 ? "GGUF version 1 is too old; convert it again" : "GGUF version \(version) is unknown")
        }
        tensorCount = try input.count(limit: Self.maximumEntries, what: "tensors")
        let entries = try input.count(limit: Self.maximumEntries, what: "metadata entries")
        metadata = [:]
        for _ in 0..<entries {
            let key = try input.string()
            metadata[key] = try Self.value(&input)
        }
        var head = false
        expectedSize = try Self.expectedSize(&input, tensors: tensorCount, alignment: Self.alignment(metadata)) {
            if $0 == "cls.output.weight" { head = true }
        }
        hasClassifierHead = head
    }

    /// Where tensor data starts is rounded up to this many bytes.
    private static func alignment(_ metadata: [String: Value]) throws -> Int64 {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard case .integer(let bytes) = value, bytes > 0, bytes <= 1 << 20, bytes & (bytes - 1) == 0 else {
            throw GGUFError("its alignment is not a power of two")
        }
        return bytes
    }

    private static func value(_ input: inout GGUFInput) throws -> Value {
        try value(&input, type: try input.integer(UInt32.self))
    }

    private static func value(_ input: inout GGUFInput, type: UInt32) throws -> Value {
        switch type {
        case 0: .integer(Int64(try input.integer(UInt8.self)))
        case 1: .integer(Int64(try input.integer(Int8.self)))
        case 2: .integer(Int64(try input.integer(UInt16.self)))
        case 3: .integer(Int64(try input.integer(Int16.self)))
        case 4: .integer(Int64(try input.integer(UInt32.self)))
        case 5: .integer(Int64(try input.integer(Int32.self)))
        case 6: .number(Double(Float(bitPattern: try input.integer(UInt32.self))))
        case 7: .bool(try input.integer(UInt8.self) != 0)
        case 8: .string(try input.string())
        case 9: .array(count: try skipArray(&input))
        case 10: .integer(Int64(clamping: try input.integer(UInt64.self)))
        case 11: .integer(try input.integer(Int64.self))
        case 12: .number(Double(bitPattern: try input.integer(UInt64.self)))
        default: throw GGUFError("metadata type \(type) is unknown")
        }
    }

    /// Passes over an array (a vocabulary has hundreds of thousands of texts) and returns its length.
    private static func skipArray(_ input: inout GGUFInput) throws -> Int {
        let type = try input.integer(UInt32.self)
        let widths: [UInt32: Int] = [0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8]
        if let width = widths[type] {
            let count = try input.count(limit: Int.max / 8, what: "array elements")
            try input.skip(count.multipliedReportingOverflow(by: width))
            return count
        }
        guard type == 8 else { throw GGUFError("an array of type \(type) is not allowed") }
        let count = try input.count(limit: Int.max / 8, what: "array elements")
        // A text has at least its eight bytes of length.
        guard Int64(count) <= input.remaining / 8 else { throw GGUFError.cutShort }
        for _ in 0..<count { try input.skipString() }
        return count
    }

    /// The end of the last tensor's data. `note` gets the name of each.
    private static func expectedSize(
        _ input: inout GGUFInput, tensors: Int, alignment: Int64, note: (String) -> Void
    ) throws -> Int64? {
        var end: Int64? = 0
        for _ in 0..<tensors {
            note(try input.string())
            let dimensions = try input.integer(UInt32.self)
            guard dimensions <= 4 else { throw GGUFError("a tensor has \(dimensions) dimensions") }
            var shape: [Int64] = []
            for _ in 0..<dimensions {
                guard let length = Int64(exactly: try input.integer(UInt64.self)) else { throw GGUFError.tensorTooLarge }
                shape.append(length)
            }
            let type = try input.integer(UInt32.self)
            guard let offset = Int64(exactly: try input.integer(UInt64.self)) else { throw GGUFError.tensorTooLarge }
            guard let block = TensorBlock.byType[type] else { end = nil; continue }
            guard let bytes = block.bytes(shape: shape) else { throw GGUFError.tensorTooLarge }
            let (last, overflow) = offset.addingReportingOverflow(bytes)
            guard !overflow else { throw GGUFError.tensorTooLarge }
            end = end.map { max($0, last) }
        }
        guard let end, tensors > 0 else { return tensors > 0 ? nil : input.position }
        let start = (input.position + alignment - 1) / alignment * alignment
        let (size, overflow) = start.addingReportingOverflow(end)
        guard !overflow else { throw GGUFError.tensorTooLarge }
        return size
    }
}

/// How ggml packs a tensor type: `elements` values in `size` bytes (`ggml_type_size`, `ggml_blck_size`).
struct TensorBlock {
    let elements: Int64
    let size: Int64

    /// Nil when the number does not fit.
    func bytes(shape: [Int64]) -> Int64? {
        var count: Int64 = 1
        for length in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: length)
            if overflow { return nil }
            count = product
        }
        // Rounded up without a sum that could pass the largest number.
        let blocks = count / elements + (count % elements == 0 ? 0 : 1)
        let (bytes, overflow) = blocks.multipliedReportingOverflow(by: size)
        return overflow ? nil : bytes
    }

    static let byType: [UInt32: TensorBlock] = [
        0: .init(elements: 1, size: 4), 1: .init(elements: 1, size: 2), 30: .init(elements: 1, size: 2),
        24: .init(elements: 1, size: 1), 25: .init(elements: 1, size: 2), 26: .init(elements: 1, size: 4),
        27: .init(elements: 1, size: 8), 28: .init(elements: 1, size: 8),
        2: .init(elements: 32, size: 18), 3: .init(elements: 32, size: 20), 6: .init(elements: 32, size: 22),
        7: .init(elements: 32, size: 24), 8: .init(elements: 32, size: 34), 9: .init(elements: 32, size: 36),
        10: .init(elements: 256, size: 84), 11: .init(elements: 256, size: 110), 12: .init(elements: 256, size: 144),
        13: .init(elements: 256, size: 176), 14: .init(elements: 256, size: 210), 15: .init(elements: 256, size: 292),
        16: .init(elements: 256, size: 66), 17: .init(elements: 256, size: 74), 18: .init(elements: 256, size: 98),
        19: .init(elements: 256, size: 50), 20: .init(elements: 32, size: 18), 21: .init(elements: 256, size: 110),
        22: .init(elements: 256, size: 82), 23: .init(elements: 256, size: 136), 29: .init(elements: 256, size: 56),
        34: .init(elements: 256, size: 54), 35: .init(elements: 256, size: 66), 39: .init(elements: 32, size: 17),
    ]
}

extension GGUFError {
    static let cutShort = GGUFError("the file ends inside its header: it is cut short or damaged")
    static let tensorTooLarge = GGUFError("a tensor's size does not fit in 64 bits")
}
