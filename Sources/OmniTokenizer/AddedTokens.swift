/// Tokens that are found in the text as they are, before anything else: the longest at the leftmost place.
struct AddedTokens: Sendable {
    enum Part: Equatable {
        case text(String)
        case token(Int)
    }

    let ids: [String: Int]
    /// By first byte, longest first. `raw` tokens are looked for before normalization, the others after.
    private let raw: [UInt8: [(bytes: [UInt8], id: Int)]]
    private let normalized: [UInt8: [(bytes: [UInt8], id: Int)]]

    init(_ tokens: [TokenizerFile.Added], normalize: (String) -> String) throws {
        if let odd = tokens.first(where: { $0.single_word == true || $0.lstrip == true || $0.rstrip == true }) {
            throw TokenizerError(path: "", reason: "has the added token \(odd.content), which strips spaces or wants whole words: not supported")
        }
        func table(_ tokens: [(String, Int)]) -> [UInt8: [(bytes: [UInt8], id: Int)]] {
            Dictionary(grouping: tokens.map { (bytes: Array($0.0.utf8), id: $0.1) }.filter { !$0.bytes.isEmpty }) { $0.bytes[0] }
                .mapValues { $0.sorted { $0.bytes.count > $1.bytes.count } }
        }
        ids = Dictionary(tokens.map { ($0.content, $0.id) }) { first, _ in first }
        raw = table(tokens.filter { !$0.normalized }.map { ($0.content, $0.id) })
        normalized = table(tokens.filter(\.normalized).map { (normalize($0.content), $0.id) })
    }

    func split(_ text: String, raw useRaw: Bool) -> [Part] {
        let table = useRaw ? raw : normalized
        let bytes = Array(text.utf8)
        if table.isEmpty { return bytes.isEmpty ? [] : [.text(text)] }
        var parts: [Part] = []
        var (start, index) = (0, 0)
        func flush() {
            if start < index { parts.append(.text(String(decoding: bytes[start..<index], as: UTF8.self))) }
        }
        while index < bytes.count {
            if let hit = table[bytes[index]]?.first(where: { bytes[index...].starts(with: $0.bytes) }) {
                flush()
                parts.append(.token(hit.id))
                index += hit.bytes.count
                start = index
            } else {
                index += 1
            }
        }
        flush()
        return parts
    }
}
