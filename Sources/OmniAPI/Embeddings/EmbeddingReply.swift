import Foundation

/// The reply of `POST /v1/embeddings`.
public struct EmbeddingReply: WireObject, Equatable {
    public var id: String?
    public var object = "list"
    public var created: Int?
    public var model = ""
    /// In the order of the inputs.
    public var data: [Embedding] = []
    public var usage: Usage?

    public init() {}

    public static var fields: [Field<EmbeddingReply>] {
        [
            .optional("id", \.id, .string), .sent("object", \.object, .string), .optional("created", \.created, .integer()),
            .sent("model", \.model, .string),
            .sent("data", \.data, .list(of: .object())), .always("usage", \.usage, .usage),
        ]
    }
}

/// The vector of one text.
public struct Embedding: WireObject, Equatable {
    public var object = "embedding"
    public var index = 0
    public var vector: [Float] = []

    public init() {}

    public static var fields: [Field<Embedding>] {
        [
            .sent("object", \.object, .string), .sent("index", \.index, .integer()),
            .sent("embedding", \.vector, .embeddingVector, "Numbers, or base64 of little-endian 32-bit floats."),
        ]
    }
}

extension WireType where Value == [Float] {
    /// A list of numbers, or base64 of little-endian 32-bit floats.
    static var embeddingVector: WireType {
        WireType(
            decode: { json, path in
                if let text = json.stringValue {
                    guard let data = Base64.decode(text), data.count % 4 == 0 else {
                        throw APIError.field(path, "must be base64 of 32-bit floats.")
                    }
                    return stride(from: 0, to: data.count, by: 4).map { place in
                        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(data[data.startIndex + place + $1]) << UInt32(8 * $1) })
                    }
                }
                guard let numbers = json.arrayValue else { throw APIError.field(path, "must be a list of numbers, not \(json.typeName).") }
                return try numbers.map { number in
                    guard let value = number.doubleValue else { throw APIError.field(path, "must hold numbers only.") }
                    return Float(value)
                }
            },
            encode: { .array($0.map { .number(Double($0)) }) },
            schema: { ["oneOf": [["type": "array", "items": ["type": "number"]], ["type": "string", "contentEncoding": "base64"]]] })
    }
}
