import Foundation

/// What diffusers does to a prompt before it becomes tokens: HTML's references resolved twice, white space made single
/// spaces; and of the library `ftfy`, which it uses where installed, straight quotes, composed characters and no control
/// characters. Its repair of text that was decoded wrongly is not built.
enum PromptCleaning {
    static func clean(_ prompt: String) -> String {
        let resolved = unescaped(unescaped(straightened(prompt)))
        return resolved.unicodeScalars.split { isSpace($0) }.map { String($0) }.joined(separator: " ")
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace || (0x1c...0x1f).contains(scalar.value) }

    private static func straightened(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x2bc, 0x2018...0x201b: result.append("'")
            case 0x201c...0x201f: result.append("\"")
            case 0...0x8, 0xb, 0xe...0x1f, 0x7f, 0x206a...0x206f, 0xfeff, 0xfff9...0xfffc: break
            default: result.append(scalar)
            }
        }
        return String(result).precomposedStringWithCanonicalMapping
    }

    // MARK: HTML

    /// `&name;`, `&#10;` and `&#xa;` as what they stand for; what stands for nothing stays.
    static func unescaped(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let start = rest.firstIndex(of: "&") {
            result.append(contentsOf: rest[..<start])
            rest = rest[rest.index(after: start)...]
            let body = rest.prefix(33).prefix { isPartOfName($0) }
            let number = body.first == "#" ? numeric(String(body.dropFirst())) : nil
            guard let found = number ?? named(String(body), isEnded: rest[body.endIndex...].first == ";") else {
                result.append("&")
                continue
            }
            result.append(contentsOf: found.text.unicodeScalars)
            rest = rest.dropFirst(found.length)
            if rest.first == ";" { rest.removeFirst() }
        }
        result.append(contentsOf: rest)
        return String(result)
    }

    private static func isPartOfName(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "#" || ("0"..."9").contains(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }

    /// The character of a number, and how many characters with its `#` it takes.
    private static func numeric(_ body: String) -> (text: String, length: Int)? {
        let isHex = body.first == "x" || body.first == "X"
        let digits = isHex ? body.dropFirst().prefix(while: \.isHexDigit) : body.prefix { ("0"..."9").contains($0) }
        guard !digits.isEmpty else { return nil }
        let length = 1 + (isHex ? 1 : 0) + digits.count
        guard let value = UInt32(digits, radix: isHex ? 16 : 10), value > 0, let scalar = Unicode.Scalar(value) else {
            return ("\u{fffd}", length)
        }
        if (0x80...0x9f).contains(value), let byte = String(bytes: [UInt8(value)], encoding: .windowsCP1252) { return (byte, length) }
        let isControl = value < 0x20 && ![0x9, 0xa, 0xc, 0xd].contains(value) || value == 0x7f
        return (isControl ? "" : String(scalar), length)
    }

    /// Names of Latin-1 count without a semicolon too, even where more letters follow.
    private static func named(_ body: String, isEnded: Bool) -> (text: String, length: Int)? {
        if isEnded, let scalar = names[body] { return (String(scalar), body.count) }
        for length in stride(from: body.count, to: 1, by: -1) {
            let name = String(body.prefix(length))
            if let scalar = names[name], scalar.value < 0x100, name != "apos" { return (String(scalar), length) }
        }
        return nil
    }

    private static let names: [String: Unicode.Scalar] = {
        var names: [String: Unicode.Scalar] = [
            "quot": "\"", "amp": "&", "lt": "<", "gt": ">", "apos": "'", "ndash": "–", "mdash": "—", "lsquo": "‘", "rsquo": "’",
            "sbquo": "‚",
            "ldquo": "“", "rdquo": "”", "bdquo": "„", "dagger": "†", "bull": "•", "hellip": "…", "euro": "€", "trade": "™", "larr": "←",
            "uarr": "↑",
            "rarr": "→", "darr": "↓", "minus": "−", "infin": "∞", "ne": "≠", "le": "≤", "ge": "≥", "hearts": "♥", "OElig": "Œ",
            "oelig": "œ",
            "Scaron": "Š", "scaron": "š", "Yuml": "Ÿ", "ensp": "\u{2002}", "emsp": "\u{2003}", "thinsp": "\u{2009}", "zwnj": "\u{200c}",
            "zwj": "\u{200d}",
        ]
        for (place, name) in latin.split(separator: " ").enumerated() { names[String(name)] = Unicode.Scalar(0xa0 + UInt32(place)) }
        return names
    }()

    /// From U+00A0.
    private static let latin = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 \
        ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml \
        ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring \
        aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc \
        uuml yacute thorn yuml
        """
}
