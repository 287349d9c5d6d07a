import OmniEngine

/// A text made ready to be spoken: cleaned, and cut into units of one sentence each.
struct SpeechText: Equatable {
    struct Unit: Equatable {
        var text: String
        /// Ends a paragraph: a longer pause follows.
        var endsParagraph = false
    }

    private(set) var units: [Unit] = []

    /// - Parameter longest: Unicode scalars of a unit; longer sentences are cut at clauses, else at spaces.
    init(_ text: String, longest: Int = 300) {
        for paragraph in Self.paragraphs(text) {
            var splitter = SentenceSplitter(.sentence)
            let sentences = splitter.push(paragraph) + splitter.flush()
            units += sentences.flatMap { Self.cut($0, longest: longest) }.map { Unit(text: $0) }
            if !units.isEmpty { units[units.count - 1].endsParagraph = true }
        }
    }

    /// Paragraphs and list items, without what only looks: control characters, Markdown's emphasis, headings and bullets.
    private static func paragraphs(_ text: String) -> [String] {
        var paragraphs = [""]
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let trimmed = line.drop { $0.isWhitespace }
            let body = trimmed.drop { $0 == "#" }.drop { $0.isWhitespace }
            let isItem = ["- ", "* ", "• "].contains { body.hasPrefix($0) }
            if trimmed.isEmpty || isItem || body.count < trimmed.count { paragraphs.append("") }
            let clean = cleaned(isItem ? body.dropFirst(2) : body)
            let last = paragraphs[paragraphs.count - 1]
            paragraphs[paragraphs.count - 1] = last.isEmpty ? clean : "\(last) \(clean)"
            // A heading stands alone.
            if body.count < trimmed.count { paragraphs.append("") }
        }
        return paragraphs
    }

    private static func cleaned(_ line: Substring) -> String {
        let characters = Array(line)
        var clean = ""
        for (place, character) in characters.enumerated() {
            // Emphasis touches a word; an asterisk between spaces is a multiplication.
            if ["*", "_", "`"].contains(character) {
                let before = place == 0 || characters[place - 1].isWhitespace, after = place + 1 == characters.count || characters[place + 1].isWhitespace
                if !(before && after), character != "_" || before || after { continue }
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

    /// Cuts a sentence that is too long: at clauses, then at spaces, then anywhere.
    private static func cut(_ sentence: String, longest: Int) -> [String] {
        guard sentence.unicodeScalars.count > longest else { return [sentence] }
        var splitter = SentenceSplitter(.clause)
        let clauses = splitter.push(sentence) + splitter.flush()
        if clauses.count > 1 { return joined(clauses.flatMap { cut($0, longest: longest) }, longest: longest) }
        let words = sentence.split(whereSeparator: \.isWhitespace).map(String.init)
        if words.count > 1 { return joined(words.flatMap { cut($0, longest: longest) }, longest: longest) }
        var pieces: [String] = [], piece = ""
        for character in sentence {
            if !piece.isEmpty, piece.unicodeScalars.count + character.unicodeScalars.count > longest {
                pieces.append(piece)
                piece = ""
            }
            piece.append(character)
        }
        return pieces + [piece]
    }

    /// Joins neighbours with spaces as long as they fit.
    private static func joined(_ pieces: [String], longest: Int) -> [String] {
        var result: [String] = []
        for piece in pieces {
            if let last = result.last, last.unicodeScalars.count + piece.unicodeScalars.count < longest {
                result[result.count - 1] = "\(last) \(piece)"
            } else {
                result.append(piece)
            }
        }
        return result
    }
}
