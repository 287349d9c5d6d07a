/// A character written by its name or number: `&amp;`, `&#8217;`, `&#x2019;`.
struct MarkupEntity: Equatable {
    let character: Character
    /// The place behind its semicolon.
    let end: Int

    /// Reads the entity that begins at an `&`. Nil for a plain one: `AT&T`, `R&D;`.
    init?(_ text: [Character], at start: Int) {
        var end = start + 1
        while end < text.count, end - start <= Self.longest, text[end].isASCII, text[end].isLetter || text[end].isNumber || text[end] == "#"
        { end += 1 }
        guard end < text.count, text[end] == ";" else { return nil }
        let name = String(text[(start + 1)..<end])
        let scalar: Unicode.Scalar?
        if name.hasPrefix("#x") || name.hasPrefix("#X") {
            scalar = UInt32(name.dropFirst(2), radix: 16).flatMap { Unicode.Scalar($0) }
        } else if name.hasPrefix("#") {
            scalar = UInt32(name.dropFirst()).flatMap { Unicode.Scalar($0) }
        } else {
            scalar = Self.named[name]
        }
        guard let scalar else { return nil }
        character = Character(scalar)
        self.end = end + 1
    }

    private static let longest = 10

    private static let named: [String: Unicode.Scalar] = {
        var table: [String: Unicode.Scalar] = [
            "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "ndash": "–", "mdash": "—", "lsquo": "‘", "rsquo": "’",
            "sbquo": "‚", "ldquo": "“",
            "rdquo": "”", "bdquo": "„", "lsaquo": "‹", "rsaquo": "›", "hellip": "…", "bull": "•", "euro": "€", "trade": "™", "minus": "−",
            "le": "≤",
            "ge": "≥", "ne": "≠", "asymp": "≈", "infin": "∞", "larr": "←", "rarr": "→", "prime": "′", "Prime": "″", "OElig": "Œ",
            "oelig": "œ",
            "Scaron": "Š", "scaron": "š", "Yuml": "Ÿ", "thinsp": " ", "ensp": " ", "emsp": " ", "zwnj": "\u{200C}", "zwj": "\u{200D}",
        ]
        // Latin-1 from U+00A0 on, in its order.
        let latin = """
            nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm \
            raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH \
            Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig \
            ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml \
            yacute thorn yuml
            """
        for (offset, name) in latin.split(separator: " ").enumerated() { table[String(name)] = Unicode.Scalar(UInt8(0xA0 + offset)) }
        return table
    }()
}
