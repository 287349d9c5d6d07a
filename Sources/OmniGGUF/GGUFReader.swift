import Foundation

extension GGUFHeader {
    /// More than any real model has; a count above is a damaged or hostile file.
    static let maximumEntries = 1 << 20
    /// Longest key, name or text, bytes. Chat templates are the longest texts and stay well below.
    static let maximumString = 1 << 24

    /// Reads the header of the file at `url`. Blocks on the disk. Throws ``GGUFError`` for what is no GGUF, and the system's
    /// error for a file that cannot be read.
    ///
    /// - Parameter arrays: keys of arrays whose elements are wanted; of others only the length is kept.
    public init(readingFrom url: URL, arrays: Set<String> = []) throws { try self.init(GGUFInput(url: url), arrays: arrays) }

    /// The same, asking the file for `chunk` bytes at a time.
    init(readingFrom url: URL, chunk: Int) throws { try self.init(GGUFInput(url: url, chunk: chunk)) }

    /// Reads the header at the start of `bytes`, which are taken for the whole file.
    init(bytes: [UInt8]) throws { try self.init(GGUFInput(bytes: bytes)) }

    private init(_ input: GGUFInput, arrays wanted: Set<String> = []) throws {
        var input = input
        fileSize = input.fileSize
        guard fileSize > 0 else { throw GGUFError.cutShort }
        guard try input.integer(UInt32.self) == 0x4655_4747 else { throw GGUFError("it is not a GGUF file") }
        version = Int(try input.integer(UInt32.self))
        guard version == 2 || version == 3 else {
            throw GGUFError(version == 1 ? "GGUF version 1 is too old; convert it again" : "GGUF version \(version) is unknown")
        }
        let count = try input.count(limit: Self.maximumEntries, what: "tensors")
        let entries = try input.count(limit: Self.maximumEntries, what: "metadata entries")
        metadata = [:]
        for _ in 0..<entries {
            let key = try input.string()
            let type = try input.integer(UInt32.self)
            if type == Self.arrayType, wanted.contains(key) {
                let elements = try Self.elements(&input)
                arrays[key] = elements
                metadata[key] = .array(count: elements.count)
            } else {
                metadata[key] = try Self.value(&input, type: type)
            }
        }
        tensors = try (0..<count).map { _ in try GGUFTensor(&input) }
        let alignment = try Self.alignment(metadata)
        dataOffset = (input.position + alignment - 1) / alignment * alignment
        expectedSize = try tensors.isEmpty ? input.position : Self.end(of: tensors, from: dataOffset)
    }

    /// Where tensor data starts is rounded up to this many bytes.
    private static func alignment(_ metadata: [String: Value]) throws -> Int64 {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard case .integer(let bytes) = value, bytes > 0, bytes <= 1 << 20, bytes & (bytes - 1) == 0 else {
            throw GGUFError("its alignment is not a power of two")
        }
        return bytes
    }

    /// The number that stands for arrays among the types of metadata.
    private static let arrayType: UInt32 = 9

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
        case arrayType: .array(count: try skipArray(&input))
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

    /// The elements of an array of texts or numbers.
    private static func elements(_ input: inout GGUFInput) throws -> Elements {
        let type = try input.integer(UInt32.self)
        let count = try input.count(limit: Int.max / 8, what: "array elements")
        var (strings, integers, numbers) = ([String](), [Int64](), [Double]())
        for _ in 0..<count {
            switch try value(&input, type: type) {
            case .string(let text): strings.append(text)
            case .integer(let number): integers.append(number)
            case .bool(let flag): integers.append(flag ? 1 : 0)
            case .number(let number): numbers.append(number)
            case .array: throw GGUFError("an array of arrays is not allowed")
            }
        }
        return strings.count == count && count > 0 ? .strings(strings) : numbers.count == count ? .numbers(numbers) : .integers(integers)
    }

    /// The end of the last tensor's data; nil where a type is unknown here.
    private static func end(of tensors: [GGUFTensor], from start: Int64) throws -> Int64? {
        var end: Int64 = 0
        for tensor in tensors {
            guard let block = TensorBlock.byType[tensor.type] else { return nil }
            guard let bytes = block.bytes(shape: tensor.shape) else { throw GGUFError.tensorTooLarge }
            let (last, overflow) = tensor.offset.addingReportingOverflow(bytes)
            guard !overflow else { throw GGUFError.tensorTooLarge }
            end = max(end, last)
        }
        let (size, overflow) = start.addingReportingOverflow(end)
        guard !overflow else { throw GGUFError.tensorTooLarge }
        return size
    }
}

extension GGUFHeader.Elements {
    var count: Int {
        switch self {
        case .strings(let values): values.count
        case .integers(let values): values.count
        case .numbers(let values): values.count
        }
    }
}

extension GGUFError {
    static let cutShort = GGUFError("the file ends inside its header: it is cut short or damaged")
    static let tensorTooLarge = GGUFError("a tensor's size does not fit in 64 bits")
}
