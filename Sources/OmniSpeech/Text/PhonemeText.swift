import Foundation

/// The phonemes of one unit, as a model gets them.
struct PhonemeText {
    /// Unicode scalars that the model knows.
    private(set) var symbols: [Unicode.Scalar] = []
    /// What it does not know and does not get.
    private(set) var dropped: [String] = []

    var codepoints: [Int32] { symbols.map { Int32(bitPattern: $0.value) } }
    /// Whether there is any sound in it.
    var isSilent: Bool { !symbols.contains { $0.properties.isAlphabetic } }

    /// espeak-ng swallows punctuation, which tells the model where to pause and how to end: the text is cut at it, each clause
    /// turned into phonemes, and the marks put back between them.
    init(_ text: String, table: SymbolTable, phonemes: (String) throws -> String) rethrows {
        for clause in Self.clauses(text) {
            if !clause.text.isEmpty { append(Self.withoutFlags(try phonemes(clause.text)), table) }
            guard let mark = clause.mark, !symbols.isEmpty else { continue }
            append(mark, table)
            append(" ", table)
        }
        while symbols.last == " " { symbols.removeLast() }
    }

    private mutating func append(_ text: String, _ table: SymbolTable) {
        if !symbols.isEmpty, symbols.last != " ", text != " ", !Self.isMark(text) { append(" ", table) }
        // Piper's tables hold base letters and combining marks apart; its framing symbols are no phonemes.
        for scalar in text.decomposedStringWithCanonicalMapping.unicodeScalars where !["_", "^", "$"].contains(scalar) {
            if table.contains(scalar) { symbols.append(scalar) } else if scalar != " " { note(String(scalar)) }
        }
    }

    private mutating func note(_ symbol: String) {
        if !dropped.contains(symbol) { dropped.append(symbol) }
    }

    private static func isMark(_ text: String) -> Bool { text.count == 1 && marks.values.contains(text) }

    /// espeak-ng tells in brackets when it changes its language: `(fr)`.
    private static func withoutFlags(_ phonemes: String) -> String {
        phonemes.contains("(") ? phonemes.replacing(#/\([a-z-]{2,12}\)/#, with: "") : phonemes
    }

    /// The clauses of a text, each with the mark at its end.
    static func clauses(_ text: String) -> [(text: String, mark: String?)] {
        let characters = Array(text)
        var clauses: [(text: String, mark: String?)] = []
        var current = ""
        for (place, character) in characters.enumerated() {
            guard let mark = marks[character], ends(place, in: characters) else {
                current.append(character)
                continue
            }
            let trimmed = current.trimmingCharacters(in: .whitespaces)
            if trimmed.isEmpty, !clauses.isEmpty {
                // "?!" and "...": the first mark tells.
                continue
            }
            clauses.append((trimmed, mark))
            current = ""
        }
        let rest = current.trimmingCharacters(in: .whitespaces)
        if !rest.isEmpty { clauses.append((rest, nil)) }
        return clauses
    }

    /// Marks within numbers and words (3.14, 10:30, e.g.) are no ends.
    private static func ends(_ place: Int, in characters: [Character]) -> Bool {
        if spaceless.contains(characters[place]) { return true }
        guard place + 1 < characters.count else { return true }
        let next = characters[place + 1]
        return next.isWhitespace || marks[next] != nil || closers.contains(next)
    }

    private static let marks: [Character: String] = [
        ".": ".", ",": ",", "!": "!", "?": "?", ";": ";", ":": ":", "…": ".", "—": ",", "。": ".", "，": ",", "、": ",", "！": "!", "？": "?",
        "；": ";", "：": ":", "،": ",", "؛": ";", "؟": "?", "।": ".", "॥": ".",
    ]
    private static let spaceless: Set<Character> = ["…", "—", "。", "，", "、", "！", "？", "；", "：", "،", "؛", "؟", "।", "॥"]
    private static let closers: Set<Character> = ["\"", "'", "”", "’", "»", ")", "]", "}", "」", "』", "）"]
}
