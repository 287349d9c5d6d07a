import Foundation

/// The variables of Whisper's weights in CTranslate2's form, a `model.bin` of version 6.
struct WhisperWeights {
    struct Variable {
        let dims: [Int]
        let type: UInt8
        let bytes: Data
    }

    private(set) var variables: [String: Variable] = [:]

    /// CTranslate2's number for f16; 1 and 2 are integers of 8 and 16 bits.
    static let f16: UInt8 = 4

    init(_ data: Data) throws {
        var input = LittleEndianInput(data: data)
        let version: UInt32 = try input.number(), spec = try input.text(), revision: UInt32 = try input.number()
        guard version == 6, spec == "WhisperSpec" else {
            throw SetupError(
                "The weights are \(spec.isEmpty ? "no model" : spec) of version \(version).\(revision); WhisperSpec of version 6 is known.")
        }
        for _ in 0..<(try input.number() as UInt32) {
            let name = try input.text(), rank: UInt8 = try input.number()
            let dims = try (0..<rank).map { _ in Int(try input.number() as UInt32) }
            let type: UInt8 = try input.number(), size: UInt32 = try input.number()
            variables[name] = Variable(dims: dims, type: type, bytes: try input.take(Int(size)))
        }
        // Pairs of names for the same variable.
        for _ in 0..<(try input.number() as UInt32) { _ = try (input.text(), input.text()) }
        guard input.rest == 0 else { throw SetupError("\(input.rest) bytes follow the weights.") }
    }

    /// Takes a variable out. Throws where it is missing or not f16.
    mutating func pop(_ name: String) throws -> Variable {
        guard let variable = variables.removeValue(forKey: name) else { throw SetupError("The variable \(name) is missing.") }
        let size = variable.dims.reduce(2, *)
        guard variable.type == Self.f16, size == variable.bytes.count else {
            throw SetupError("\(name) is of type \(variable.type) with \(variable.bytes.count) bytes; f16 of \(variable.dims) is \(size).")
        }
        return variable
    }
}

/// Numbers one after the other.
struct LittleEndianInput {
    private let data: Data
    private var place = 0

    init(data: Data) { self.data = data }

    var rest: Int { data.count - place }

    mutating func take(_ count: Int) throws -> Data {
        guard count <= rest else { throw SetupError("A file ends at byte \(data.count), in the middle of a variable.") }
        place += count
        return data[data.startIndex + place - count..<data.startIndex + place]
    }

    mutating func number<Number: FixedWidthInteger>() throws -> Number {
        try take(MemoryLayout<Number>.size).withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(as: Number.self)) }
    }

    /// A length of two bytes, then text that ends with a zero.
    mutating func text() throws -> String {
        let count: UInt16 = try number()
        return String(decoding: try take(Int(count)).dropLast(), as: UTF8.self)
    }
}
