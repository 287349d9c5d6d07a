/// A node of an ONNX graph (NodeProto of onnx.proto).
struct ONNXNode {
    private(set) var operation = ""
    private(set) var domain = ""
    private(set) var inputs: [String] = []
    private(set) var outputs: [String] = []
    /// Attributes that are integers or lists of them.
    private(set) var integers: [String: [Int]] = [:]
    /// Names of all attributes.
    private(set) var attributes: Set<String> = []
    /// Holds a graph of its own, which may use any name of the outer one.
    private(set) var hasGraph = false

    init(_ message: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(message)
        while let (field, value) = try reader.next() {
            guard case .bytes(let bytes) = value else { continue }
            switch field {
            case 1: inputs.append(String(decoding: bytes, as: UTF8.self))
            case 2: outputs.append(String(decoding: bytes, as: UTF8.self))
            case 4: operation = String(decoding: bytes, as: UTF8.self)
            case 5: try readAttribute(bytes)
            case 7: domain = String(decoding: bytes, as: UTF8.self)
            default: break
            }
        }
    }

    private mutating func readAttribute(_ message: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(message)
        var name = "", numbers: [Int] = []
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let text)): name = String(decoding: text, as: UTF8.self)
            case (3, .number(let number)), (8, .number(let number)): numbers.append(Int(truncatingIfNeeded: number))
            case (8, .bytes(let packed)): numbers += try ProtobufReader.varints(packed).map { Int(truncatingIfNeeded: $0) }
            case (6, _), (11, _): hasGraph = true
            default: break
            }
        }
        attributes.insert(name)
        if !numbers.isEmpty { integers[name] = numbers }
    }

    /// A node's message.
    static func message(_ operation: String, _ inputs: [String], _ output: String, _ attributes: [(name: String, values: [Int])] = [])
        -> [UInt8]
    {
        var node = ProtobufWriter()
        for input in inputs { node.text(1, input) }
        node.text(2, output)
        node.text(3, output)
        node.text(4, operation)
        for (name, values) in attributes {
            var attribute = ProtobufWriter()
            attribute.text(1, name)
            for value in values { attribute.number(8, value) }
            // AttributeType INTS.
            attribute.number(20, 7)
            node.bytes(5, attribute.message)
        }
        return node.message
    }
}

/// A tensor that an ONNX file holds (TensorProto), where its elements stand as raw bytes.
struct ONNXTensor {
    static let float: UInt64 = 1
    static let int64: UInt64 = 7

    private(set) var name = ""
    private(set) var shape: [Int] = []
    private(set) var type: UInt64 = 0
    private(set) var raw: UnsafeRawBufferPointer?

    init(_ message: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(message)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .number(let dimension)): shape.append(Int(clamping: dimension))
            case (1, .bytes(let packed)): shape += try ProtobufReader.varints(packed).map { Int(clamping: $0) }
            case (2, .number(let number)): type = number
            case (8, .bytes(let text)): name = String(decoding: text, as: UTF8.self)
            case (9, .bytes(let bytes)): raw = bytes
            default: break
            }
        }
    }

    /// nil where the shape's product is no number of ours.
    var elementCount: Int? {
        shape.reduce(1 as Int?) { count, dimension in
            guard let (product, overflow) = count?.multipliedReportingOverflow(by: dimension), !overflow else { return nil }
            return product
        }
    }

    /// The elements, where they are `dimensions`-dimensional 32-bit floats in the file itself.
    func floats(dimensions: Int) -> [Float]? {
        guard type == Self.float, shape.count == dimensions, shape.allSatisfy({ $0 > 0 }), let raw, raw.count % 4 == 0,
            raw.count / 4 == elementCount
        else {
            return nil
        }
        return (0..<raw.count / 4).map {
            Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
        }
    }

    /// A tensor's message.
    static func message(_ name: String, _ shape: [Int], floats: [Float]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(floats.count * 4)
        for value in floats { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) } }
        return message(name, shape, type: float, raw: bytes)
    }

    static func message(_ name: String, integers: [Int]) -> [UInt8] {
        message(
            name, [integers.count], type: int64,
            raw: integers.flatMap { value in withUnsafeBytes(of: Int64(value).littleEndian) { Array($0) } })
    }

    private static func message(_ name: String, _ shape: [Int], type: UInt64, raw: [UInt8]) -> [UInt8] {
        var tensor = ProtobufWriter()
        for dimension in shape { tensor.number(1, dimension) }
        tensor.number(2, Int(type))
        tensor.text(8, name)
        tensor.bytes(9, raw)
        return tensor.message
    }
}
