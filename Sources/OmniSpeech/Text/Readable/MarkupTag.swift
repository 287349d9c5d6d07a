/// A tag of HTML or SSML: `<break time="1s"/>`, `</p>`.
struct MarkupTag: Equatable {
    /// In lower case.
    var name: String
    /// Values by their names in lower case; entities in them are not read.
    var attributes: [String: String] = [:]
    /// `</name>`
    var isClosing = false
    /// `<name/>`
    var isEmpty = false
    /// The place behind it.
    var end: Int

    /// Reads the tag that begins at a `<`. Nil for what only looks like one: `a < b`, `<3`, `f<x and y>`.
    init?(_ text: [Character], at start: Int) {
        var reader = Reader(text: text, place: start + 1)
        isClosing = reader.take("/")
        name = reader.name().lowercased()
        guard name.first?.isLetter == true else { return nil }
        while true {
            let isApart = reader.skipSpace()
            if reader.take(">") { break }
            if !isClosing, reader.take("/") {
                guard reader.take(">") else { return nil }
                isEmpty = true
                break
            }
            guard isApart, !isClosing, reader.place - start < Self.longest else { return nil }
            let key = reader.name().lowercased()
            guard !key.isEmpty else { return nil }
            if let value = reader.value() {
                attributes[key] = value
            } else {
                // Words without a value are prose between two signs, unless HTML has them.
                guard Self.flags.contains(key) else { return nil }
                attributes[key] = ""
            }
        }
        end = reader.place
    }

    /// Characters of a tag.
    private static let longest = 4096
    private static let flags: Set<String> = [
        "allowfullscreen", "async", "autoplay", "checked", "controls", "defer", "disabled", "download", "hidden", "loop", "multiple",
        "muted", "novalidate",
        "open", "readonly", "required", "reversed", "selected",
    ]

    private struct Reader {
        let text: [Character]
        var place: Int

        mutating func take(_ character: Character) -> Bool {
            guard place < text.count, text[place] == character else { return false }
            place += 1
            return true
        }

        /// True when there was any.
        mutating func skipSpace() -> Bool {
            let start = place
            while place < text.count, text[place].isWhitespace { place += 1 }
            return place > start
        }

        mutating func name() -> String {
            let start = place
            while place < text.count, text[place].isASCII, text[place].isLetter || text[place].isNumber || "-_:".contains(text[place]) {
                place += 1
            }
            return String(text[start..<place])
        }

        /// What stands behind an equals sign; nil where there is none.
        mutating func value() -> String? {
            let before = place
            _ = skipSpace()
            guard take("=") else {
                place = before
                return nil
            }
            _ = skipSpace()
            if let quote = place < text.count ? text[place] : nil, quote == "\"" || quote == "'" {
                let start = place + 1
                var end = start
                while end < text.count, text[end] != quote, end - start < MarkupTag.longest { end += 1 }
                guard end < text.count, text[end] == quote else { return nil }
                place = end + 1
                return String(text[start..<end])
            }
            let start = place
            while place < text.count, !text[place].isWhitespace, !"\"'=<>`".contains(text[place]) { place += 1 }
            return place > start ? String(text[start..<place]) : nil
        }
    }
}
