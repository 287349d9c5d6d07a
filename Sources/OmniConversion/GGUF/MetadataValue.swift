/// A value of a GGUF's metadata in the type that readers expect of its key.
enum MetadataValue: Sendable, Equatable {
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string(String)
    case strings([String])
    case int32s([Int32])
    case float32s([Float])
    case uint8s([UInt8])
    case bools([Bool])

    /// Types of the format.
    private var type: UInt32 {
        switch self {
        case .uint8s: 0
        case .uint32: 4
        case .int32, .int32s: 5
        case .float32, .float32s: 6
        case .bool, .bools: 7
        case .string, .strings: 8
        }
    }

    /// Type and value as they stand in a file.
    func write(to output: inout GGUFOutput) {
        switch self {
        case .uint32(let value): output.add(type, value)
        case .int32(let value): output.add(type, UInt32(bitPattern: value))
        case .float32(let value): output.add(type, value.bitPattern)
        case .bool(let value):
            output.add(type)
            output.bytes.append(value ? 1 : 0)
        case .string(let value):
            output.add(type)
            output.add(value)
        case .strings(let values):
            output.addArray(of: type, count: values.count)
            values.forEach { output.add($0) }
        case .int32s(let values):
            output.addArray(of: type, count: values.count)
            values.forEach { output.add(UInt32(bitPattern: $0)) }
        case .float32s(let values):
            output.addArray(of: type, count: values.count)
            values.forEach { output.add($0.bitPattern) }
        case .bools(let values):
            output.addArray(of: type, count: values.count)
            output.bytes += values.map { $0 ? 1 : 0 }
        case .uint8s(let values):
            output.addArray(of: type, count: values.count)
            output.bytes += values
        }
    }
}

/// Bytes of a GGUF's header as they grow; numbers are little-endian.
struct GGUFOutput {
    var bytes: [UInt8] = []

    mutating func add(_ values: UInt32...) { values.forEach { value in withUnsafeBytes(of: value.littleEndian) { bytes += $0 } } }
    mutating func add(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        bytes += text.utf8
    }

    mutating func addArray(of type: UInt32, count: Int) {
        add(9, type)
        add(UInt64(count))
    }

    mutating func pad(to alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }
}
