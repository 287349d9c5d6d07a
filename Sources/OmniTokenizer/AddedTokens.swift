/// Tokens that are found in the text as they are, before anything else: the longest at the leftmost place.
struct AddedTokens: Sendable {
    enum Part: Equatable {
        /// Whether it begins the whole text.
        case text(String, isFirst: Bool)
        case token(Int)
    }

    private struct Token {
        let bytes: [UInt8]
        let id: Int
        /// Whether white space before or after belongs to it.
        let takesLeft, takesRight: Bool
    }

    let ids: [String: Int]
    /// By first byte, longest first. `raw` tokens are looked for before normalization, the others after.
    private let raw: [UInt8: [Token]]
    private let normalized: [UInt8: [Token]]

    init(_ tokens: [TokenizerFile.Added], normalize: (String) -> String) throws {
        if let odd = tokens.first(where: { $0.single_word == true }) {
            throw TokenizerError(path: "", reason: "has the added token \(odd.content), which wants whole words: not supported")
        }
        func table(_ tokens: [TokenizerFile.Added], _ text: (String) -> String) -> [UInt8: [Token]] {
            let known = tokens.map {
                Token(bytes: Array(text($0.content).utf8), id: $0.id, takesLeft: $0.lstrip ?? false, takesRight: $0.rstrip ?? false)
            }
            return Dictionary(grouping: known.filter { !$0.bytes.isEmpty }) { $0.bytes[0] }.mapValues {
                $0.sorted { $0.bytes.count > $1.bytes.count }
            }
        }
        ids = Dictionary(tokens.map { ($0.content, $0.id) }) { first, _ in first }
        raw = table(tokens.filter { !$0.normalized }) { $0 }
        normalized = table(tokens.filter(\.normalized), normalize)
    }

    func split(_ text: String, raw useRaw: Bool) -> [Part] {
        let table = useRaw ? raw : normalized
        let bytes = Array(text.utf8)
        if table.isEmpty { return bytes.isEmpty ? [] : [.text(text, isFirst: true)] }
        var parts: [Part] = []
        var (start, index) = (0, 0)
        func flush(stripped: Bool) {
            var end = index
            if stripped { end = start + Self.trimmed(bytes[start..<index]) }
            if start < end { parts.append(.text(String(decoding: bytes[start..<end], as: UTF8.self), isFirst: start == 0)) }
        }
        while index < bytes.count {
            if let hit = table[bytes[index]]?.first(where: { bytes[index...].starts(with: $0.bytes) }) {
                flush(stripped: hit.takesLeft)
                parts.append(.token(hit.id))
                index += hit.bytes.count
                if hit.takesRight { index += Self.leadingSpaces(bytes[index...]) }
                start = index
            } else {
                index += 1
            }
        }
        flush(stripped: false)
        return parts
    }

    /// Bytes that are left without the white space at the end.
    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> Int {
        var scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars[...]
        while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        return String(scalars).utf8.count
    }

    /// Bytes of white space at the start.
    private static func leadingSpaces(_ bytes: ArraySlice<UInt8>) -> Int {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.prefix { $0.properties.isWhitespace }.reduce(0) { $0 + String($1).utf8.count }
    }
}
