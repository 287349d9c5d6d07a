import OmniAPI

/// Cuts text into units while it arrives. Text in pieces and text at once give the same units.
///
/// A unit ends at `.`, `!` or `?` before white space, and at the marks of scripts that write without spaces as soon as the
/// next character is known. Numbers, single letters and common abbreviations do not end one. Closing quotes and brackets
/// stay with the unit; units come trimmed, and none is empty. A unit that would be longer than it may is cut behind its last clause that
/// fits, else between words.
public struct SentenceSplitter: Sendable {
    private let granularity: SplitGranularity
    /// Characters that a unit may have; nil: any number.
    private let longest: Int?
    private var buffer: [Character] = []
    /// Everything before this place was looked at and holds no end of a unit.
    private var searched = 0

    public init(_ granularity: SplitGranularity = .sentence, longest: Int? = nil) {
        self.granularity = granularity
        self.longest = longest
    }

    /// For answers of a chat model, which may go on and on without an end of a sentence: whoever listens must not wait for one.
    public static var ofAnswers: SentenceSplitter { SentenceSplitter(longest: 200) }

    /// Takes more text and returns the units that are complete.
    public mutating func push(_ text: String) -> [String] {
        // A combining mark may belong to the last character.
        if let last = buffer.popLast() {
            buffer += Array(String(last) + text)
            searched = min(searched, buffer.count)
        } else {
            buffer += Array(text)
        }
        return granularity == .none ? [] : takeUnits(final: false)
    }

    /// Ends the text and returns what is left of it.
    public mutating func flush() -> [String] {
        var units = granularity == .none ? [] : takeUnits(final: true)
        let rest = Self.trimmed(buffer[...])
        if !rest.isEmpty { units.append(rest) }
        buffer = []
        searched = 0
        return units
    }

    private mutating func takeUnits(final: Bool) -> [String] {
        var units: [String] = []
        var start = 0
        var place = searched
        while place < buffer.count {
            guard endsUnit(buffer[place]) else { place += 1; continue }
            let mark = place
            var end = place + 1
            while end < buffer.count, endsUnit(buffer[end]) || Self.closers.contains(buffer[end]) { end += 1 }
            // What follows is not known yet: wait for it.
            if end == buffer.count, !final { place = mark; break }
            place = end
            guard isBoundary(mark: mark, end: end, start: start) else { continue }
            cutLong(from: &start, to: end, &units)
            let unit = Self.trimmed(buffer[start..<end])
            if !unit.isEmpty { units.append(unit) }
            start = end
        }
        cutLong(from: &start, to: buffer.count, &units)
        searched = max(place - start, 0)
        buffer.removeFirst(start)
        return units
    }

    /// Takes units off the beginning while there is more than one may have.
    private func cutLong(from start: inout Int, to end: Int, _ units: inout [String]) {
        guard let longest else { return }
        while end - start > longest {
            let window = start..<start + longest
            let clause = window.last {
                Self.spacelessClauseMarks.contains(buffer[$0]) || Self.clauseMarks.contains(buffer[$0]) && buffer[$0 + 1].isWhitespace
            }
            let cut = (clause ?? window.last { buffer[$0].isWhitespace }).map { $0 + 1 } ?? window.upperBound
            let unit = Self.trimmed(buffer[start..<cut])
            if !unit.isEmpty { units.append(unit) }
            start = cut
        }
    }

    private func endsUnit(_ character: Character) -> Bool {
        Self.sentenceMarks.contains(character) || Self.spacelessMarks.contains(character)
            || granularity == .clause && (Self.clauseMarks.contains(character) || Self.spacelessClauseMarks.contains(character))
    }

    private func isBoundary(mark: Int, end: Int, start: Int) -> Bool {
        let character = buffer[mark]
        if Self.spacelessMarks.contains(character) || Self.spacelessClauseMarks.contains(character) { return true }
        guard end == buffer.count || buffer[end].isWhitespace else { return false }
        guard character == ".", end == mark + 1 else { return true }
        // One full stop and nothing else: it may belong to the word before it.
        let word = buffer[start..<mark].reversed().prefix { !$0.isWhitespace }.reversed().drop { Self.openers.contains($0) }
        if word.count == 1, let letter = word.first, letter.isLetter { return end == buffer.count }
        let isAbbreviation = Self.abbreviations.contains(String(word).lowercased())
        return !isAbbreviation || end == buffer.count
    }

    private static func trimmed(_ characters: ArraySlice<Character>) -> String {
        let kept = characters.drop { $0.isWhitespace }
        return String(kept.prefix((kept.lastIndex { !$0.isWhitespace } ?? kept.startIndex - 1) - kept.startIndex + 1))
    }

    private static let sentenceMarks: Set<Character> = [".", "!", "?"]
    private static let spacelessMarks: Set<Character> = ["。", "！", "？", "…", "।", "॥", "؟"]
    private static let clauseMarks: Set<Character> = [",", ";"]
    private static let spacelessClauseMarks: Set<Character> = ["，", "；", "،", "؛"]
    private static let closers: Set<Character> = ["\"", "'", "”", "’", "»", ")", "]", "}", "」", "』", "）", "】", "》"]
    private static let openers: Set<Character> = ["\"", "'", "“", "‘", "«", "(", "[", "{"]
    private static let abbreviations: Set<String> = [
        "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "mt", "rev", "gen", "col", "capt", "lt", "sgt", "hon", "pres", "gov", "sen",
        "rep",
        "e.g", "i.e", "cf", "vs", "viz", "approx", "dept", "est", "fig", "figs", "no", "nos", "vol", "vols", "pp", "ed", "eds", "al", "ca",
        "inc", "ltd", "co", "corp", "ave", "blvd", "rd", "u.s", "u.k", "u.n", "d.c", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep",
        "sept", "oct", "nov", "dec", "z.b", "d.h", "bzw", "usw", "nr", "str", "sra", "mme", "mlle",
    ]
}
