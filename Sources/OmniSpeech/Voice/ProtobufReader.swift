/// Walks the fields of one protobuf message without copying it. Throws at the first byte that makes no sense.
struct ProtobufReader {
    enum Value {
        case number(UInt64)
        /// A nested message, a text or bytes.
        case bytes(UnsafeRawBufferPointer)
    }

    struct Malformed: Error {
        let reason: String
    }

    private let message: UnsafeRawBufferPointer
    /// Bytes read so far.
    private(set) var place = 0

    /// `message` must outlive the reader.
    init(_ message: UnsafeRawBufferPointer) { self.message = message }

    /// The next field, nil at the end of the message.
    mutating func next() throws -> (field: Int, value: Value)? {
        guard place < message.count else { return nil }
        let tag = try varint()
        guard let field = Int(exactly: tag >> 3), field > 0 else { throw Malformed(reason: "a field without a number at byte \(place)") }
        switch tag & 7 {
        case 0: return (field, .number(try varint()))
        case 1: return (field, .bytes(try take(8)))
        case 2:
            guard let length = Int(exactly: try varint()) else { throw Malformed(reason: "an impossible length at byte \(place)") }
            return (field, .bytes(try take(length)))
        case 5: return (field, .bytes(try take(4)))
        default: throw Malformed(reason: "an unknown kind of field at byte \(place)")
        }
    }

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard place < message.count else { throw Malformed(reason: "it ends in the middle of a number") }
            let byte = message[place]
            place += 1
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte & 0x80 == 0 { return value }
        }
        throw Malformed(reason: "a number too long at byte \(place)")
    }

    private mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= message.count - place else {
            throw Malformed(reason: "it is cut short: \(count) bytes are missing or wrong after byte \(place)")
        }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: message[place..<place + count])
    }

    /// The numbers of a packed field.
    static func varints(_ packed: UnsafeRawBufferPointer) throws -> [UInt64] {
        var reader = ProtobufReader(packed)
        var values: [UInt64] = []
        while reader.place < packed.count { values.append(try reader.varint()) }
        return values
    }
}
