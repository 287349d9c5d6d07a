/// The text that is being typed and the place in it: line editing as a pure value.
struct LineBuffer: Equatable {
    private(set) var text: [Character] = []
    /// Before which character the cursor is, 0…text.count.
    private(set) var cursor = 0
    /// What was cut last.
    private(set) var cut: [Character] = []

    init(_ text: String = "") { set(text) }

    var string: String { String(text) }
    var isEmpty: Bool { text.isEmpty }

    mutating func set(_ string: String) {
        text = Array(Self.withoutTabs(string))
        cursor = text.count
    }

    mutating func insert(_ string: String) {
        // Joined with what is before it, a mark may become one character with that.
        let before = String(text[..<cursor]) + Self.withoutTabs(string)
        let after = text[cursor...]
        text = Array(before)
        cursor = text.count
        text += after
    }

    /// A tab has no width of its own.
    private static func withoutTabs(_ string: String) -> String { string.replacing("\t", with: "    ") }

    mutating func deleteBack() {
        guard cursor > 0 else { return }
        cursor -= 1
        text.remove(at: cursor)
    }

    mutating func deleteForward() {
        guard cursor < text.count else { return }
        text.remove(at: cursor)
    }

    mutating func moveLeft() { cursor = max(0, cursor - 1) }
    mutating func moveRight() { cursor = min(text.count, cursor + 1) }
    mutating func moveToLineStart() { cursor = lineStart }
    mutating func moveToLineEnd() { cursor = lineEnd }
    mutating func moveToEnd() { cursor = text.count }

    mutating func moveWordLeft() { cursor = wordStart }

    mutating func moveWordRight() {
        while cursor < text.count, !text[cursor].isWordPart { cursor += 1 }
        while cursor < text.count, text[cursor].isWordPart { cursor += 1 }
    }

    mutating func cutToLineEnd() { cut(cursor..<max(cursor, lineEnd == cursor && cursor < text.count ? cursor + 1 : lineEnd)) }
    mutating func cutToLineStart() { cut(lineStart..<cursor) }
    mutating func cutWordBack() { cut(wordStart..<cursor) }
    mutating func paste() { insert(String(cut)) }

    /// One line up or down in a text of several. False where there is none.
    mutating func moveLine(_ step: Int) -> Bool {
        let column = cursor - lineStart
        if step < 0 {
            guard lineStart > 0 else { return false }
            cursor = lineStart - 1
            cursor = min(lineStart + column, cursor)
        } else {
            guard lineEnd < text.count else { return false }
            cursor = lineEnd + 1
            cursor = min(cursor + column, lineEnd)
        }
        return true
    }

    private var lineStart: Int { text[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0 }
    private var lineEnd: Int { text[cursor...].firstIndex(of: "\n") ?? text.count }

    private var wordStart: Int {
        var place = cursor
        while place > 0, !text[place - 1].isWordPart { place -= 1 }
        while place > 0, text[place - 1].isWordPart { place -= 1 }
        return place
    }

    private mutating func cut(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        cut = Array(text[range])
        text.removeSubrange(range)
        cursor = range.lowerBound
    }

    /// The text as rows of a window with the cursor's row and column. The first row begins after a prompt of `indent` columns,
    /// further lines of the text after as many blanks. Of more rows than `limit`, those that lead up to the cursor.
    func layout(columns: Int, indent: Int, limit: Int = .max) -> (rows: [String], cursorRow: Int, cursorColumn: Int, isCutAbove: Bool) {
        var rows = [""]
        var column = indent
        var place = (row: 0, column: indent)
        for (index, character) in text.enumerated() {
            let width = character == "\n" ? 0 : Terminal.width(character)
            if character != "\n", column + width > columns {
                rows.append("")
                column = 0
            }
            if index == cursor { place = (rows.count - 1, column) }
            if character == "\n" {
                rows.append(String(repeating: " ", count: indent))
                column = indent
            } else {
                rows[rows.count - 1].append(character)
                column += width
            }
        }
        if cursor == text.count {
            // A full row has no place for the cursor.
            if column >= columns {
                rows.append("")
                column = 0
            }
            place = (rows.count - 1, column)
        }
        let above = max(0, place.row - limit + 1)
        return (Array(rows.dropFirst(above).prefix(limit)), place.row - above, place.column, above > 0)
    }
}

extension Character {
    fileprivate var isWordPart: Bool { isLetter || isNumber || self == "_" }
}
