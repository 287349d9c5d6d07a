import Foundation

/// Malformed JSON, with the byte where reading stopped (the wire reports it as `body.<offset>`).
public struct JSONSyntaxError: Error, Sendable, Equatable {
    public let offset: Int
    public let reason: String
}

extension JSONValue {
    /// Parses one UTF-8 JSON document (RFC 8259). Deeper than `maximumDepth` is refused, so that a hostile body cannot
    /// exhaust the stack. Throws ``JSONSyntaxError``.
    public static func parse(_ bytes: some Sequence<UInt8>, maximumDepth: Int = 128) throws -> JSONValue {
        if let parsed = try bytes.withContiguousStorageIfAvailable({ buffer in
            var parser = JSONParser(bytes: buffer, maximumDepth: maximumDepth)
            return try parser.document()
        }) {
            return parsed
        }
        return try parse(Array(bytes), maximumDepth: maximumDepth)
    }

    public static func parse(_ text: String) throws -> JSONValue { try parse(Array(text.utf8)) }
}

/// A recursive-descent parser over borrowed bytes. Foundation's decoders lose key order and the place of an error, both of
/// which the wire needs.
struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let maximumDepth: Int
    var position = 0
    var depth = 0

    init(bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    mutating func document() throws -> JSONValue {
        skipByteOrderMark()
        skipBlanks()
        let value = try value()
        skipBlanks()
        guard position == bytes.count else { throw failure("extra data after the document") }
        return value
    }

    /// Windows' editors begin a file with it; RFC 8259, section 8.1, lets a parser pass over it.
    private mutating func skipByteOrderMark() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    private func failure(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(offset: position, reason: reason) }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func value() throws -> JSONValue {
        guard position < bytes.count else { throw failure("the document ends where a value should be") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
        let end = position + text.utf8CodeUnitCount
        guard end <= bytes.count, memcmp(bytes.baseAddress! + position, text.utf8Start, text.utf8CodeUnitCount) == 0 else {
            throw failure("not a JSON value")
        }
        position = end
        return value
    }

    private mutating func enter() throws {
        depth += 1
        guard depth <= maximumDepth else { throw failure("nested more than \(maximumDepth) levels deep") }
    }

    private mutating func array() throws -> JSONValue {
        try enter()
        defer { depth -= 1 }
        position += 1
        var elements: [JSONValue] = []
        skipBlanks()
        if peek(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            skipBlanks()
            elements.append(try value())
            skipBlanks()
            if peek(UInt8(ascii: ",")) { continue }
            if peek(UInt8(ascii: "]")) { return .array(elements) }
            throw failure("expected ',' or ']'")
        }
    }

    private mutating func object() throws -> JSONValue {
        try enter()
        defer { depth -= 1 }
        position += 1
        var object = JSONObject()
        var places: [ExactText: Int] = [:]
        skipBlanks()
        if peek(UInt8(ascii: "}")) { return .object(object) }
        while true {
            skipBlanks()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw failure("expected a member name in double quotes")
            }
            let key = try string()
            skipBlanks()
            guard peek(UInt8(ascii: ":")) else { throw failure("expected ':'") }
            skipBlanks()
            let member = try value()
            if let place = places[ExactText(key)] {
                object.replace(at: place, with: member)
            } else {
                places[ExactText(key)] = object.count
                object.append(key, member)
            }
            skipBlanks()
            if peek(UInt8(ascii: ",")) { continue }
            if peek(UInt8(ascii: "}")) { return .object(object) }
            throw failure("expected ',' or '}'")
        }
    }

    /// Steps over `byte` when it is next.
    private mutating func peek(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func number() throws -> JSONValue {
        let start = position
        var whole = true
        _ = peek(UInt8(ascii: "-"))
        let first = position
        digits()
        guard position > first else { throw failure("not a JSON value") }
        guard position - first == 1 || bytes[first] != UInt8(ascii: "0") else {
            position = first + 1
            throw failure("a number may not start with 0")
        }
        if peek(UInt8(ascii: ".")) {
            whole = false
            let fraction = position
            digits()
            guard position > fraction else { throw failure("digits are missing after the decimal point") }
        }
        if peek(UInt8(ascii: "e")) || peek(UInt8(ascii: "E")) {
            whole = false
            if !peek(UInt8(ascii: "+")) { _ = peek(UInt8(ascii: "-")) }
            let exponent = position
            digits()
            guard position > exponent else { throw failure("digits are missing in the exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if whole, let integer = Int64(text) { return .integer(integer) }
        guard let double = Double(text), double.isFinite else { throw failure("the number is too large") }
        return .number(double)
    }

    private mutating func digits() {
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
    }

    private mutating func string() throws -> String {
        position += 1
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard let text = String(validating: bytes[start..<position], as: UTF8.self) else {
                    throw failure("a string is not valid UTF-8")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw failure("a control character stands unescaped in a string")
            default: position += 1
            }
        }
        throw failure("a string is not closed")
    }

    /// The slow path, from the first backslash on.
    private mutating func escapedString(from start: Int) throws -> String {
        var text = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw failure("a string is not valid UTF-8") }
                position += 1
                return string
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case 0..<0x20: throw failure("a control character stands unescaped in a string")
            default:
                text.append(byte)
                position += 1
            }
        }
        throw failure("a string is not closed")
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard position < bytes.count else { throw failure("a string is not closed") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try unicodeEscape()).utf8)
        default:
            position -= 1
            throw failure("unknown escape in a string")
        }
    }

    private mutating func unicodeEscape() throws -> Character {
        let unit = try hexUnit()
        if UTF16.isLeadSurrogate(unit), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            let mark = position
            position += 2
            let trail = try hexUnit()
            if UTF16.isTrailSurrogate(trail) {
                return Character(UTF16.decode(UTF16.EncodedScalar([unit, trail])))
            }
            position = mark
        }
        // A lone surrogate has no UTF-8 form; as in JavaScript's TextEncoder it becomes the replacement character.
        return Character(Unicode.Scalar(unit) ?? "\u{FFFD}")
    }

    private mutating func hexUnit() throws -> UInt16 {
        guard position + 4 <= bytes.count else { throw failure("a \\u escape is cut short") }
        var unit: UInt16 = 0
        for byte in bytes[position..<position + 4] {
            switch byte {
            case 0x30...0x39: unit = unit << 4 | UInt16(byte - 0x30)
            case 0x41...0x46: unit = unit << 4 | UInt16(byte - 0x37)
            case 0x61...0x66: unit = unit << 4 | UInt16(byte - 0x57)
            default: throw failure("a \\u escape needs four hexadecimal digits")
            }
        }
        position += 4
        return unit
    }
}
