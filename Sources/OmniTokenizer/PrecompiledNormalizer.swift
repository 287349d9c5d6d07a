import Foundation

/// SentencePiece's normalization, compiled to a table: a double-array trie (Aoe 1989, as darts-clone stores it) from byte
/// sequences to places in a buffer of their replacements, each ended by a zero.
struct PrecompiledNormalizer: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]

    /// Reads the table of `precompiled_charsmap`: the trie's length in bytes, the trie, the replacements.
    init(base64: String) throws {
        guard let data = Data(base64Encoded: base64), data.count >= 4 else { throw Self.broken }
        let bytes = [UInt8](data)
        func word(_ place: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) } }
        let length = Int(word(0))
        guard length > 0, length % 4 == 0, length <= bytes.count - 4 else { throw Self.broken }
        units = stride(from: 4, to: 4 + length, by: 4).map(word)
        replacements = Array(bytes[(4 + length)...])
    }

    private static var broken: TokenizerError { TokenizerError(path: "", reason: "has a Precompiled normalizer whose table is broken") }

    /// A short cluster of characters is replaced as one where the table begins with some of it; otherwise each character
    /// by itself. So does the reference.
    func normalize(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for cluster in text {
            let whole = String(cluster)
            if whole.utf8.count < 6, let replacement = replacement(Array(whole.utf8)) {
                result.append(contentsOf: replacement.unicodeScalars)
                continue
            }
            for scalar in cluster.unicodeScalars {
                if let replacement = replacement(Array(String(scalar).utf8)) {
                    result.append(contentsOf: replacement.unicodeScalars)
                } else {
                    result.append(scalar)
                }
            }
        }
        return String(result)
    }

    /// What stands for the shortest prefix of `key` that the table knows.
    private func replacement(_ key: [UInt8]) -> String? {
        var node = Self.offset(units[0])
        for byte in key {
            if byte == 0 { return nil }
            node ^= Int(byte)
            guard units.indices.contains(node) else { return nil }
            let unit = units[node]
            guard unit & 0x8000_00ff == UInt32(byte) else { return nil }
            node ^= Self.offset(unit)
            guard units.indices.contains(node) else { return nil }
            if unit >> 8 & 1 == 1 { return text(at: Int(units[node] & 0x7fff_ffff)) }
        }
        return nil
    }

    private func text(at start: Int) -> String? {
        guard start < replacements.count else { return nil }
        return String(decoding: replacements[start...].prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }
}
