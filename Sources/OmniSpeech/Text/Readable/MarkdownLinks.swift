/// Links and pictures of Markdown, of which only the words are read.
struct MarkdownLinks {
    /// The text with `words` for `[words](address)`, `[words][name]` and `![words](address)`, without `[^1]` and without the lines that
    /// say where a name leads.
    static func words(of text: String) -> String {
        guard text.contains("[") else { return text }
        var links = MarkdownLinks(text)
        return links.read()
    }

    private let text: [Character]
    /// Names of addresses that stand in lines of their own, in lower case.
    private let names: Set<String>
    private var place = 0
    /// Nil: left out afterwards.
    private var said: [Character?] = []
    /// Where in `said` brackets are open.
    private var open: [Int] = []

    private init(_ source: String) {
        var names: Set<String> = []
        var lines: [Substring] = []
        if source.contains("]:") {
            for line in source.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
                if let name = Self.definedName(line) { names.insert(name) } else { lines.append(line) }
            }
        }
        text = names.isEmpty ? Array(source) : Array(lines.joined(separator: "\n"))
        self.names = names
    }

    /// Of a line `[name]: address`.
    private static func definedName(_ line: Substring) -> String? {
        let body = line.drop { $0.isWhitespace }
        guard body.hasPrefix("["), !body.hasPrefix("[^"), let end = body.firstIndex(of: "]"), body[end...].hasPrefix("]:") else {
            return nil
        }
        let address = body[body.index(end, offsetBy: 2)...].drop { $0.isWhitespace }
        guard let first = address.split(whereSeparator: \.isWhitespace).first,
            ["://", "/", "#", "mailto:", "<"].contains(where: { first.contains($0) })
        else { return nil }
        return body[body.index(after: body.startIndex)..<end].lowercased()
    }

    private mutating func read() -> String {
        while place < text.count {
            switch text[place] {
            case "\\" where place + 1 < text.count && SpokenMarkdown.escapable.contains(text[place + 1]): keep(2)
            case "[":
                if let end = footnote() {
                    place = end
                } else {
                    open.append(said.count)
                    keep(1)
                }
            case "]": close()
            default: keep(1)
            }
        }
        return String(said.compactMap(\.self))
    }

    private mutating func keep(_ count: Int) {
        said += text[place..<place + count].map(Optional.some)
        place += count
    }

    private mutating func close() {
        guard let start = open.popLast() else { return keep(1) }
        guard let end = address(at: place + 1) ?? name(at: place + 1, or: start) else { return keep(1) }
        said[start] = nil
        // A picture's sign, which touches its bracket.
        if start > 0, said[start - 1] == "!" { said[start - 1] = nil }
        place = end
    }

    /// The place behind `[^1]` and, at the beginning of a line, its colon.
    private func footnote() -> Int? {
        guard place + 2 < text.count, text[place + 1] == "^" else { return nil }
        var end = place + 2
        while end < text.count, end - place < 40, text[end] != "]", !text[end].isWhitespace { end += 1 }
        guard end < text.count, text[end] == "]", end > place + 2 else { return nil }
        let isDefinition = (place == 0 || text[place - 1].isNewline) && end + 1 < text.count && text[end + 1] == ":"
        return end + (isDefinition ? 2 : 1)
    }

    /// The place behind `(address "title")`. An address has no spaces, and no brackets of Markdown.
    private func address(at start: Int) -> Int? {
        guard start < text.count, text[start] == "(" else { return nil }
        var depth = 0, end = start
        while end < text.count, end - start < 4096 {
            switch text[end] {
            case "(": depth += 1
            case ")":
                depth -= 1
                if depth == 0 { return end + 1 }
            case "[", "]": return nil
            case let character where character.isNewline: return nil
            case let character where character.isWhitespace:
                // Only a title may follow.
                var next = end
                while next < text.count, text[next].isWhitespace { next += 1 }
                guard next < text.count, "\"'()".contains(text[next]) else { return nil }
                if text[next] == "\"" || text[next] == "'" { return title(at: next) }
            default: break
            }
            end += 1
        }
        return nil
    }

    private func title(at start: Int) -> Int? {
        var end = start + 1
        while end < text.count, end - start < 1024, text[end] != text[start], !text[end].isNewline { end += 1 }
        guard end < text.count, text[end] == text[start] else { return nil }
        end += 1
        while end < text.count, text[end] == " " { end += 1 }
        return end < text.count && text[end] == ")" ? end + 1 : nil
    }

    /// The place behind `[name]`, or behind nothing where the words themselves are a name.
    private func name(at start: Int, or words: Int) -> Int? {
        guard !names.isEmpty else { return nil }
        let own = said.count - words < 256 ? String(said[(words + 1)...].compactMap(\.self)).lowercased() : ""
        guard start < text.count, text[start] == "[" else { return names.contains(own) ? start : nil }
        var end = start + 1
        while end < text.count, end - start < 256, text[end] != "]" { end += 1 }
        guard end < text.count, text[end] == "]" else { return nil }
        let name = String(text[(start + 1)..<end]).lowercased()
        return names.contains(name.isEmpty ? own : name) ? end + 1 : nil
    }
}
