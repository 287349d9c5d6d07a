/// A text with HTML or SSML in it, taken apart into what is said, and for how long nothing is.
///
/// Tags are left out and entities become their characters. Of SSML (W3C, 1.1) `break` is silence, `sub` is its alias, `say-as` spells
/// where it says so; all other elements are their contents. Tags need not fit together: text may come sentence by sentence.
struct SpokenMarkup {
    enum Piece: Equatable {
        case text(String)
        /// Seconds of silence.
        case pause(Double)
    }

    /// Seconds of one silence.
    static let longestPause = 10.0
    /// `say-as` within `say-as`.
    private static let deepest = 8

    private(set) var pieces: [Piece] = []
    private let text: [Character]
    private let isEnglish: Bool
    private let isSSML: Bool
    private var place = 0
    private var spoken = ""
    /// The contents so far of each open `say-as`, and how they are said.
    private var sayAs: [(contents: String, how: String)] = []
    /// Signs and elements of which no end is left.
    private var missing: Set<String> = []
    /// Names that stand in an opening or closing tag somewhere.
    private var paired: (opening: Set<String>, closing: Set<String>)?

    init(_ source: String, isEnglish: Bool) {
        self.isEnglish = isEnglish
        guard source.contains(where: { $0 == "<" || $0 == "&" }) else {
            (text, isSSML, pieces) = ([], false, [.text(source)])
            return
        }
        text = Array(source)
        isSSML = source.contains("<speak")
        read()
        flush()
    }

    private mutating func read() {
        while place < text.count {
            switch text[place] {
            case "<": if !readMarkup() { takeOne() }
            case "&":
                guard let entity = MarkupEntity(text, at: place) else {
                    takeOne()
                    continue
                }
                say(String(entity.character))
                place = entity.end
            default:
                let end = text[place...].firstIndex { $0 == "<" || $0 == "&" } ?? text.count
                say(String(text[place..<end]))
                place = end
            }
        }
    }

    private mutating func takeOne() {
        say(String(text[place]))
        place += 1
    }

    private mutating func say(_ words: String) {
        if sayAs.isEmpty { spoken += words } else { sayAs[sayAs.count - 1].contents += words }
    }

    /// False when the `<` here is only a sign.
    private mutating func readMarkup() -> Bool {
        if begins("<!--") { return skip(past: "-->") }
        if begins("<![CDATA[") {
            guard let end = find("]]>", from: place + 9) else { return false }
            say(String(text[(place + 9)..<end]))
            place = end + 3
            return true
        }
        if begins("<?") { return skip(past: "?>") }
        if begins("<!") { return skip(past: ">") }
        guard let tag = MarkupTag(text, at: place), isElement(tag) else { return readAddress() }
        place = tag.end
        obey(tag)
        return true
    }

    /// Markdown's `<https://…>` and `<me@example.com>` are what they say.
    private mutating func readAddress() -> Bool {
        var end = place + 1
        while end < text.count, end - place < 2048, !text[end].isWhitespace, text[end] != "<", text[end] != ">" { end += 1 }
        guard end < text.count, text[end] == ">" else { return false }
        let address = String(text[(place + 1)..<end])
        guard address.contains("://") || (address.contains("@") && address.contains(".")) else { return false }
        say(address)
        place = end + 1
        return true
    }

    private mutating func obey(_ tag: MarkupTag) {
        if MarkupElements.silent.contains(tag.name) {
            if !tag.isClosing, !tag.isEmpty, let end = closing(of: tag.name) { place = end }
            return
        }
        switch (tag.name, tag.isClosing) {
        case ("break", false): pause(Self.seconds(tag.attributes))
        case ("sub", false):
            guard let alias = tag.attributes["alias"] else { return }
            say(Self.decoded(alias))
            if !tag.isEmpty, let end = closing(of: "sub") { place = end }
        case ("say-as", false):
            if !tag.isEmpty, sayAs.count < Self.deepest { sayAs.append(("", (tag.attributes["interpret-as"] ?? "").lowercased())) }
        case ("say-as", true): endSayAs()
        case ("img", false): if let alternative = tag.attributes["alt"], !alternative.isEmpty { say(" \(Self.decoded(alternative)) ") }
        case ("br", _): say("\n")
        case ("td", true), ("th", true), ("sup", false): say(" ")
        case (let name, _): if MarkupElements.blocks.contains(name) || isSSML && ["s", "sentence"].contains(name) { say("\n\n") }
        }
    }

    private mutating func pause(_ seconds: Double) {
        guard seconds > 0 else { return }
        flush()
        if case .pause(let before) = pieces.last {
            pieces[pieces.count - 1] = .pause(min(Self.longestPause, before + seconds))
        } else {
            pieces.append(.pause(seconds))
        }
    }

    private mutating func endSayAs() {
        guard let (contents, how) = sayAs.popLast() else { return }
        say(SayAs.spoken(contents, as: how, isEnglish: isEnglish))
    }

    private mutating func flush() {
        // A `say-as` that is open goes on behind the silence.
        let open = sayAs.map(\.how)
        while !sayAs.isEmpty { endSayAs() }
        sayAs = open.map { ("", $0) }
        if !spoken.isEmpty { pieces.append(.text(spoken)) }
        spoken = ""
    }

    // MARK: - Looking ahead

    /// Whether it is one that HTML or SSML knows, or that is opened and closed.
    private mutating func isElement(_ tag: MarkupTag) -> Bool {
        if isSSML || MarkupElements.known.contains(tag.name) || tag.name.contains(":") { return true }
        if paired == nil { paired = names() }
        return paired.map { $0.opening.contains(tag.name) && $0.closing.contains(tag.name) } ?? false
    }

    private func names() -> (opening: Set<String>, closing: Set<String>) {
        var names: (opening: Set<String>, closing: Set<String>) = ([], [])
        for start in text.indices where text[start] == "<" {
            guard let tag = MarkupTag(text, at: start) else { continue }
            if tag.isClosing { names.closing.insert(tag.name) } else { names.opening.insert(tag.name) }
        }
        return names
    }

    private func begins(_ sign: String) -> Bool { text[place...].starts(with: sign) }

    /// False, and nothing is skipped, where the end is missing.
    private mutating func skip(past end: String) -> Bool {
        guard let found = find(end, from: place) else { return false }
        place = found + end.count
        return true
    }

    /// The first place of a sign. A sign that is missing is looked for once.
    private mutating func find(_ sign: String, from start: Int) -> Int? {
        guard !missing.contains(sign), let first = sign.first else { return nil }
        for place in start..<max(start, text.count) where text[place] == first && text[place...].starts(with: sign) { return place }
        missing.insert(sign)
        return nil
    }

    /// The place behind the next `</name>`.
    private mutating func closing(of name: String) -> Int? {
        guard !missing.contains(name) else { return nil }
        for place in place..<max(place, text.count - 1) where text[place] == "<" && text[place + 1] == "/" {
            if let tag = MarkupTag(text, at: place), tag.name == name { return tag.end }
        }
        missing.insert(name)
        return nil
    }

    private static func decoded(_ value: String) -> String {
        let characters = Array(value)
        var place = 0, text = ""
        while place < characters.count {
            if characters[place] == "&", let entity = MarkupEntity(characters, at: place) {
                text.append(entity.character)
                place = entity.end
            } else {
                text.append(characters[place])
                place += 1
            }
        }
        return text
    }

    /// Of a `break`: its time, else its strength.
    private static func seconds(_ attributes: [String: String]) -> Double {
        if let time = attributes["time"]?.lowercased() {
            let number =
                time.hasSuffix("ms") ? Double(time.dropLast(2)).map { $0 / 1000 } : time.hasSuffix("s") ? Double(time.dropLast()) : nil
            if let number, number.isFinite { return min(max(number, 0), longestPause) }
        }
        return strengths[attributes["strength"]?.lowercased() ?? "medium"] ?? 0.4
    }

    private static let strengths = ["none": 0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1]
}
