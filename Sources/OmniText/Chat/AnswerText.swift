import OmniAPI

/// The raw text of an answer as it comes, and what it means so far.
///
/// A parser takes the whole text every time, so it is not asked at every token. Words add to words until one of the parser's marks
/// comes; elsewhere, as in the arguments of a call, a text is read anew when it has grown by a thirty-second. Reading an answer then
/// takes time that grows with its length, and not with the square of it.
struct AnswerText: Sendable {
    private enum Words { case content, reasoning }

    private let parser: any AnswerParsing
    private let marks: [[UInt8]]
    private let longestMark: Int
    private var text = ""
    private var answer = ParsedAnswer()
    /// Bytes that the parser has read.
    private var parsed = 0
    /// What the end of the text belongs to, where that is known.
    private var words: Words?
    /// The end of the text that may turn out to be the beginning of a mark, or blanks that belong to one.
    private var held = ""

    private static let growth = 32

    init(parser: any AnswerParsing) {
        self.parser = parser
        marks = parser.marks.filter { !$0.isEmpty }.map { Array($0.utf8) }
        longestMark = marks.map(\.count).max() ?? 0
    }

    /// What the text means with `piece` added; nil while that is not known.
    mutating func add(_ piece: String) -> ParsedAnswer? {
        text += piece
        if let words {
            held += piece
            switch end(of: held) {
            case .words:
                switch words {
                case .content: answer.content += held
                case .reasoning: answer.reasoning += held
                }
                held = ""
                return answer
            case .open: return nil
            case .mark: break
            }
        } else if text.utf8.count - parsed < parsed / Self.growth {
            return nil
        }
        return read()
    }

    /// What the whole text means.
    mutating func whole(isPartial: Bool) -> ParsedAnswer {
        (try? parser.parse(text, isPartial: isPartial)) ?? ParsedAnswer(content: text)
    }

    private mutating func read() -> ParsedAnswer? {
        parsed = text.utf8.count
        (words, held) = (nil, "")
        // A text that cannot be read yet may be readable with its next token.
        guard let new = try? parser.parse(text, isPartial: true) else { return nil }
        if new.calls.isEmpty {
            if isTail(new.content, grownFrom: answer.content) {
                words = .content
            } else if new.content.isEmpty, isTail(new.reasoning, grownFrom: answer.reasoning) {
                words = .reasoning
            }
        }
        answer = new
        return new
    }

    /// Whether the text ends with these words, which have just become more.
    private func isTail(_ words: String, grownFrom earlier: String) -> Bool {
        guard words.utf8.count > earlier.utf8.count, words.last?.isWhitespace == false else { return false }
        return text.utf8.suffix(64).reversed().starts(with: words.utf8.suffix(64).reversed())
    }

    private enum End { case words, open, mark }

    /// How words end that were added without the parser.
    private func end(of added: String) -> End {
        let bytes = Array(text.utf8.suffix(added.utf8.count + max(longestMark - 1, 0)))
        for mark in marks where bytes.count >= mark.count {
            for start in 0...(bytes.count - mark.count) where bytes[start..<start + mark.count].elementsEqual(mark) { return .mark }
        }
        let mayOpen = marks.contains { mark in
            (1..<max(mark.count, 1)).contains { $0 <= bytes.count && bytes.suffix($0).elementsEqual(mark.prefix($0)) }
        }
        return mayOpen || added.last?.isWhitespace != false ? .open : .words
    }
}
