/// Builds a protobuf message, field by field.
struct ProtobufWriter {
    private(set) var message: [UInt8] = []

    mutating func number(_ field: Int, _ value: Int) {
        varint(UInt64(field << 3))
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func text(_ field: Int, _ text: String) { bytes(field, text.utf8) }

    /// Bytes or a nested message.
    mutating func bytes(_ field: Int, _ content: some Collection<UInt8>) {
        header(field, length: content.count)
        message.append(contentsOf: content)
    }

    /// What stands before `length` bytes that the caller writes.
    mutating func header(_ field: Int, length: Int) {
        varint(UInt64(field << 3 | 2))
        varint(UInt64(length))
    }

    private mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            message.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        message.append(UInt8(value))
    }
}
