import Foundation

/// Signs that stand for words, in letters that every voice can read.
enum WrittenForms {
    static func spoken(_ text: String, isEnglish: Bool) -> String {
        let plain = plainLetters(text)
        guard isEnglish else { return plain }
        return numberSigns(fractions(plain))
    }

    // MARK: - Letters

    /// Letters and digits of compatibility forms become plain ones (NFKC): full width, bold, ligatures, Arabic's positional forms. Signs stay:
    /// a full-width full stop ends a sentence where a plain one would not, and `½` is no letter.
    static func plainLetters(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isCompatible) else { return text }
        var plain = String.UnicodeScalarView()
        var run = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            // Marks of half-width letters join the letter before them.
            if isCompatible(scalar) {
                run.append(scalar)
            } else {
                plain.append(contentsOf: String(run).precomposedStringWithCompatibilityMapping.unicodeScalars)
                run = String.UnicodeScalarView()
                plain.append(scalar)
            }
        }
        plain.append(contentsOf: String(run).precomposedStringWithCompatibilityMapping.unicodeScalars)
        return String(plain)
    }

    private static func isCompatible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Digits and letters of full width, letters of half width with their marks, and the signs ＃ ＄ ％ ＆ ＋ － ＝ ＠ ￠ ￡ ￥ ￦.
        case 0xFF10...0xFF19, 0xFF21...0xFF3A, 0xFF41...0xFF5A, 0xFF66...0xFFDC, 0xFF03...0xFF06, 0xFF0B, 0xFF0D, 0xFF1D, 0xFF20,
            0xFFE0...0xFFE1, 0xFFE5...0xFFE6:
            true
        // Ligatures, Hebrew's and Arabic's forms without their signs, letters in circles, Roman numerals, mathematical letters and digits.
        case 0xFB00...0xFB4F, 0xFB50...0xFBB1, 0xFBD3...0xFD3D, 0xFE80...0xFEFC, 0x24B6...0x24E9, 0x2160...0x217F, 0x1D400...0x1D7FF: true
        default: false
        }
    }

    // MARK: - Fractions

    /// `½` is “one half”, `2½` “2 and a half”, `¾` “three quarters”; `3⁄4`, with a fraction slash, likewise. English.
    static func fractions(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value == 0x2044 || vulgar[Character($0)] != nil }) else { return text }
        let characters = Array(text)
        var said = "", place = 0
        while place < characters.count {
            guard let (numerator, denominator, end) = fraction(characters, at: place), let words = words(numerator, denominator) else {
                said.append(characters[place])
                place += 1
                continue
            }
            let isMixed = said.last?.isNumber == true || said.last == " " && said.dropLast().last?.isNumber == true
            if isMixed {
                said = said.trimmingSuffix(" ") + " and " + (numerator == 1 ? "a " + words.dropFirst("one ".count) : words)
            } else {
                if let last = said.last, last.isLetter { said.append(" ") }
                said += words
            }
            if end < characters.count, characters[end].isLetter { said.append(" ") }
            place = end
        }
        return said
    }

    private static func fraction(_ text: [Character], at start: Int) -> (Int, Int, end: Int)? {
        if let (numerator, denominator) = vulgar[text[start]] { return (numerator, denominator, start + 1) }
        guard text[start].isASCII, text[start].isNumber, start == 0 || !(text[start - 1].isNumber || ".,".contains(text[start - 1])) else {
            return nil
        }
        func number(_ from: Int) -> (Int, Int)? {
            var end = from
            while end < text.count, end - from < 4, text[end].isASCII, text[end].isNumber { end += 1 }
            return Int(String(text[from..<end])).map { ($0, end) }
        }
        guard let (numerator, slash) = number(start), slash < text.count, text[slash] == "\u{2044}",
            let (denominator, end) = number(slash + 1)
        else { return nil }
        return (numerator, denominator, end)
    }

    private static func words(_ numerator: Int, _ denominator: Int) -> String? {
        guard numerator > 0, denominator > 1 else { return nil }
        guard let name = parts[denominator] else { return "\(numerator) over \(denominator)" }
        let count = numerator < counts.count ? counts[numerator] : "\(numerator)"
        return "\(count) \(numerator == 1 ? name : name == "half" ? "halves" : name + "s")"
    }

    private static let counts = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    private static let parts = [
        2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 10: "tenth", 12: "twelfth",
        16: "sixteenth",
        20: "twentieth", 100: "hundredth",
    ]
    private static let vulgar: [Character: (Int, Int)] = [
        "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6),
        "⅚": (5, 6),
        "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8), "⅑": (1, 9), "⅒": (1, 10),
    ]

    // MARK: - Number signs

    /// `#1` is “number 1”, `#swift` “hashtag swift”; the sign of `C#` stays. English.
    static func numberSigns(_ text: String) -> String {
        guard text.contains("#") else { return text }
        let characters = Array(text)
        var said = ""
        for (place, character) in characters.enumerated() {
            let next = place + 1 < characters.count ? characters[place + 1] : " "
            let isBehindWord =
                place > 0 && (characters[place - 1].isLetter || characters[place - 1].isNumber || "#&/".contains(characters[place - 1]))
            if character == "#", !isBehindWord, next.isNumber {
                said += "number "
            } else if character == "#", !isBehindWord, next.isLetter {
                said += "hashtag "
            } else {
                said.append(character)
            }
        }
        return said
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var text = self
        while text.last == character { text.removeLast() }
        return text
    }
}
