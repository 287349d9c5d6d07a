import Foundation

/// What SSML's `say-as` makes of its contents. Ways that a voice has of its own (`date`, `cardinal`) leave them as they are.
enum SayAs {
    static func spoken(_ text: String, as how: String, isEnglish: Bool) -> String {
        switch how {
        case "characters", "spell-out", "verbatim", "letters": spelled(text)
        case "digits", "telephone": digits(text)
        case "ordinal": isEnglish ? ordinal(text) : text
        case "fraction": isEnglish ? WrittenForms.fractions(text.replacing("/", with: "\u{2044}")) : text
        case "expletive", "bleep": ""
        default: text
        }
    }

    /// Letters with full stops between them are read one by one, in every language; a single A would be an article.
    private static func spelled(_ text: String) -> String {
        var parts: [String] = [], letters: [String] = []
        func end() {
            if !letters.isEmpty { parts.append(letters.joined(separator: ".")) }
            letters = []
        }
        for character in text {
            if character.isLetter {
                letters.append(String(character))
            } else {
                end()
                if !character.isWhitespace { parts.append(String(character)) }
            }
        }
        end()
        return parts.joined(separator: ", ")
    }

    private static func digits(_ text: String) -> String {
        var said = ""
        for character in text {
            if character.isNumber, said.last?.isNumber == true { said.append(" ") }
            said.append(character)
        }
        return said
    }

    private static func ordinal(_ text: String) -> String {
        let number = text.trimmingCharacters(in: .whitespaces)
        guard !number.isEmpty, number.allSatisfy({ $0.isASCII && $0.isNumber }) else { return text }
        if let teens = Int(number.suffix(2)), (11...13).contains(teens) { return number + "th" }
        let ending: [Character: String] = ["1": "st", "2": "nd", "3": "rd"]
        return number + (number.last.flatMap { ending[$0] } ?? "th")
    }
}
