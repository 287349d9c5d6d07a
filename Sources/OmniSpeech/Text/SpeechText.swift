import OmniAPI
import OmniEngine

/// A text made ready to be spoken: cleaned, and cut into units of one sentence each.
struct SpeechText: Equatable {
    struct Unit: Equatable {
        var text: String
        /// Ends a paragraph: a longer pause follows.
        var endsParagraph = false
        /// Seconds of silence behind it, where the text itself asks for some.
        var silence: Double?
    }

    private(set) var units: [Unit] = []
    /// Seconds of silence before the first unit.
    private(set) var leadingSilence = 0.0

    /// Seconds of silence that one text may ask for.
    private static let mostSilence = 600.0

    /// Blocks for about a second where there are 200,000 characters.
    ///
    /// - Parameters:
    ///   - longest: Unicode scalars of a unit; longer sentences are cut at clauses, else at spaces.
    ///   - language: a code, tag or English name; signs become words where it is English.
    init(_ text: String, longest: Int = 300, language: String? = nil) {
        let isEnglish = language.map { SpeechLanguage.code($0) == "en" } ?? false
        var silenceLeft = Self.mostSilence
        for piece in SpokenMarkup(text, isEnglish: isEnglish).pieces {
            switch piece {
            case .text(let text):
                for paragraph in SpokenMarkdown.paragraphs(text) {
                    add(paragraph: WrittenForms.spoken(paragraph, isEnglish: isEnglish), longest: longest)
                }
            case .pause(let seconds):
                let seconds = min(seconds, silenceLeft)
                silenceLeft -= seconds
                guard !units.isEmpty else {
                    leadingSilence = min(SpokenMarkup.longestPause, leadingSilence + seconds)
                    continue
                }
                units[units.count - 1].silence = min(SpokenMarkup.longestPause, (units[units.count - 1].silence ?? 0) + seconds)
            }
        }
    }

    private mutating func add(paragraph: String, longest: Int) {
        var splitter = SentenceSplitter(.sentence)
        let sentences = (splitter.push(paragraph) + splitter.flush()).flatMap { Self.cut($0, longest: longest) }
        guard !sentences.isEmpty else { return }
        units += sentences.map { Unit(text: $0) }
        units[units.count - 1].endsParagraph = true
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
