/// Markdown as it is read aloud: the words without the marks that only look, and links without their addresses.
enum SpokenMarkdown {
    /// Paragraphs, headings and list items; some may be empty.
    static func paragraphs(_ text: String) -> [String] {
        var paragraphs = [""]
        for line in MarkdownLinks.words(of: text).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let line = Line(line)
            if line.begins { paragraphs.append("") }
            let clean = cleaned(line.body)
            let last = paragraphs[paragraphs.count - 1]
            paragraphs[paragraphs.count - 1] = last.isEmpty ? clean : clean.isEmpty ? last : "\(last) \(clean)"
            if line.standsAlone { paragraphs.append("") }
        }
        return paragraphs
    }

    /// One line, without the marks at its beginning.
    private struct Line {
        var body: Substring
        /// A paragraph begins here.
        var begins = false
        /// And ends here.
        var standsAlone = false

        init(_ line: Substring) {
            body = line.drop { $0.isWhitespace }
            while body.hasPrefix("> ") || body == ">" { body = body.dropFirst().drop { $0.isWhitespace } }
            if body.isEmpty || isOnlyLook {
                (body, begins, standsAlone) = ("", true, true)
                return
            }
            let marks = body.prefix { $0 == "#" }.count
            let behind = body.dropFirst(marks)
            if (1...6).contains(marks), behind.first.map(\.isWhitespace) ?? true {
                (begins, standsAlone) = (true, true)
                body = behind.trimmed
                // "## Title ##" may end as it begins.
                let ending = body.reversed().prefix { $0 == "#" }.count
                if ending > 0, body.dropLast(ending).last?.isWhitespace ?? true { body = body.dropLast(ending).trimmed }
            } else if body.hasPrefix("|"), body.trimmed.hasSuffix("|"), body.count > 2 {
                (begins, standsAlone) = (true, true)
                let cells = body.split(separator: "|").map { String($0.trimmed) }.filter { !$0.isEmpty }
                body = cells.joined(separator: ", ")[...]
            } else if ["- ", "* ", "+ ", "• "].contains(where: body.hasPrefix) {
                begins = true
                body = body.dropFirst(2).drop { $0.isWhitespace }
                if ["[ ] ", "[x] ", "[X] "].contains(where: body.hasPrefix) { body = body.dropFirst(4) }
            }
        }

        /// Fences of code, rules, and the lines below titles and table heads.
        private var isOnlyLook: Bool {
            if body.hasPrefix("```") || body.hasPrefix("~~~") { return true }
            let signs = body.filter { !$0.isWhitespace }
            guard let first = signs.first else { return true }
            if signs.count >= 3, "-*_=".contains(first), signs.allSatisfy({ $0 == first }) { return true }
            return first == "|" && signs.contains("-") && signs.allSatisfy { "|-:".contains($0) }
        }
    }

    /// Without emphasis, escapes and what has no sound.
    private static func cleaned(_ line: Substring) -> String {
        let characters = Array(line)
        var clean = ""
        var isEscaped = false
        for (place, character) in characters.enumerated() {
            let before = place == 0 ? " " : characters[place - 1], after = place + 1 == characters.count ? " " : characters[place + 1]
            if isEscaped {
                isEscaped = false
                clean.append(character)
                continue
            }
            switch character {
            case "\\" where escapable.contains(after):
                isEscaped = true
                continue
            // Emphasis touches a word; an asterisk between spaces is a multiplication, a line between letters belongs to a name.
            case "*", "`": if !(before.isWhitespace && after.isWhitespace) { continue }
            case "_": if before.isWhitespace != after.isWhitespace { continue }
            case "~": if before == "~" || after == "~" { continue }
            default: break
            }
            // Control characters, direction marks and the like; joiners within a character stay.
            if let scalar = character.unicodeScalars.first, character.unicodeScalars.count == 1 {
                switch scalar.properties.generalCategory {
                case .control: clean.append(" "); continue
                case .format, .privateUse, .unassigned, .surrogate: continue
                default: break
                }
            }
            clean.append(character)
        }
        return clean
    }

    /// What a backslash in front makes an ordinary sign, as far as it is one of Markdown's own.
    static let escapable: Set<Character> = ["\\", "`", "*", "_", "{", "}", "[", "]", "(", ")", "#", "+", "-", ".", "!", "~", "|", "<", ">"]
}

extension Substring {
    fileprivate var trimmed: Substring {
        let body = drop { $0.isWhitespace }
        return body.prefix((body.lastIndex { !$0.isWhitespace }).map { body.distance(from: body.startIndex, to: $0) + 1 } ?? 0)
    }
}
