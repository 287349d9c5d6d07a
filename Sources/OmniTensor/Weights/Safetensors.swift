import Foundation

/// The safetensors format: eight bytes of header length, a JSON header, the tensors' bytes.
enum Safetensors {
    /// The tensors of the file at `path`. The whole layout is checked: a file cut short or with an offset outside is an
    /// error here, before anything is loaded.
    static func entries(path: String) throws -> [WeightEntry] {
        let file = try WeightFile(path: path)
        guard file.size >= 8 else { throw TensorError.file(path: path, reason: "is \(file.size) bytes long, too short for safetensors") }
        let length = try file.read(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= min(UInt64(headerLimit), UInt64(file.size - 8)) else {
            throw TensorError.file(path: path, reason: "claims a header of \(length) bytes, but is \(file.size) bytes long")
        }
        let start = 8 + Int(length)
        let header: Header
        do {
            header = try JSONDecoder().decode(Header.self, from: Data(file.read(at: 8, count: Int(length))))
        } catch let error as DecodingError {
            throw TensorError.file(path: path, reason: "has a broken header: \(error)")
        }
        // Markers have no values.
        let entries = try header.tensors.filter { !$0.1.isEmpty }.map { name, claim in try entry(name, claim, file, start) }
        return try ScaledWeights(path: path, unsigned: header.unsigned, metadata: header.metadata).resolve(entries)
    }

    private static let headerLimit = 100 << 20

    private static func entry(_ name: String, _ claim: Claim, _ file: WeightFile, _ start: Int) throws -> WeightEntry {
        func broken(_ reason: String) -> TensorError { .file(path: file.path, reason: "tensor \(name) \(reason)") }
        guard let encoding = encodings[claim.dtype] else { throw broken("has the element type \(claim.dtype), which is not supported") }
        guard claim.data_offsets.count == 2, claim.shape.allSatisfy({ $0 > 0 }) else {
            throw broken("has the shape \(claim.shape) and offsets \(claim.data_offsets)")
        }
        let shape = claim.shape.isEmpty ? [1] : Array(claim.shape.reversed())
        guard let bytes = encoding.byteCount(shape) else { throw broken("has the shape \(claim.shape)") }
        let (begin, end) = (claim.data_offsets[0], claim.data_offsets[1])
        guard begin >= 0, end >= begin, end - begin == bytes else {
            throw broken("takes \(bytes) bytes, but has offsets \(begin) to \(end)")
        }
        guard end <= file.size - start else {
            // Unsigned: the sum of two sizes, either of which may be as large as numbers get.
            throw broken("ends at byte \(UInt(start) + UInt(end)), but the file has only \(file.size): it is cut short")
        }
        return WeightEntry(name: name, axes: shape, encoding: encoding, file: file, offset: start + begin, byteCount: bytes)
    }

    private static let encodings: [String: WeightEncoding] = [
        "F64": .native(.f64), "F32": .native(.f32), "F16": .native(.f16), "BF16": .native(.bf16), "F8_E4M3": .e4m3, "F8_E5M2": .e5m2,
        "I64": .native(.i64), "I32": .native(.i32), "I16": .native(.i16), "I8": .native(.i8), "U8": .native(.i8), "BOOL": .native(.i8),
    ]

    private struct Claim: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]

        var isEmpty: Bool { shape.contains(0) && data_offsets.count == 2 && data_offsets[0] == data_offsets[1] }
    }

    private struct Header: Decodable {
        var tensors: [(String, Claim)] = []
        var metadata: [String: String] = [:]
        /// Tensors of bytes, which are no numbers to compute with.
        var unsigned: Set<String> { Set(tensors.filter { $0.1.dtype == "U8" }.map(\.0)) }

        struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let names = try decoder.container(keyedBy: Name.self)
            for name in names.allKeys {
                if name.stringValue == "__metadata__" {
                    metadata = (try? names.decode([String: String].self, forKey: name)) ?? [:]
                } else {
                    tensors.append((name.stringValue, try names.decode(Claim.self, forKey: name)))
                }
            }
        }
    }
}
