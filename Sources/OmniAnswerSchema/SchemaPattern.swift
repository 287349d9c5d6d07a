import OmniAPI

/// A JSON Schema's `pattern`, ECMA-262, read whole and written anew so that llama.cpp's grammar converter follows it to the letter.
///
/// The converter takes only part of the language, knows nothing of how JSON escapes characters, and drops what it does not
/// know with a warning in the log. What is written here are character classes, groups, alternatives and quantifiers alone.
struct SchemaPattern {
    /// The pattern in the converter's dialect, anchored at both ends, matching a string's characters as JSON writes them.
    let converted: String

    /// Throws ``Fault`` for a pattern that is no regular expression, or one that a grammar cannot follow.
    init(_ pattern: String) throws(Fault) {
        var reader = Reader(pattern, in: .json)
        let any = CharacterRanges.all.written(in: .json) + "*"
        converted = "^(" + (try reader.pattern(before: any, after: any)).joined(separator: "|") + ")$"
    }

    /// The right side of a rule in GBNF for texts that match `pattern` from end to end, as they are.
    static func grammar(ofWhole pattern: String) throws(Fault) -> String {
        var reader = Reader(pattern, in: .text)
        return try reader.pattern(before: "", after: "").map(Form.text.alternative).joined(separator: " | ")
    }

    /// What the characters stand in.
    enum Form {
        /// A string in JSON, in the converter's dialect.
        case json
        /// Plain text, in GBNF.
        case text

        func alternative(_ body: String) -> String { self == .text && body.isEmpty ? "\"\"" : body }
    }

    enum Fault: Error, Equatable {
        case invalid(String)
        case unsupported(String)

        var description: String {
            switch self {
            case .invalid(let reason): "is not a regular expression: \(reason)"
            case .unsupported(let reason): "cannot be followed: \(reason)"
            }
        }
    }
}

extension SchemaPattern {
    /// Goes through the pattern once, from left to right.
    private struct Reader {
        private var rest: ArraySlice<Unicode.Scalar>
        private var depth = 0
        private static let deepest = 32
        private let form: Form

        init(_ pattern: String, in form: Form) {
            rest = Array(pattern.unicodeScalars)[...]
            self.form = form
        }

        /// Alternatives at the top, where alone anchors have a place; `before` and `after` stand where there is none.
        mutating func pattern(before: String, after: String) throws(Fault) -> [String] {
            var alternatives: [String] = []
            repeat {
                let begins = take("^")
                let body = try sequence()
                let ends = take("$")
                alternatives.append((begins ? "" : before) + body + (ends ? "" : after))
            } while take("|")
            guard let next = rest.first else { return alternatives }
            throw next == ")" ? .invalid("a parenthesis is closed that was not opened") : .unsupported("it has an anchor in its middle")
        }

        private mutating func alternatives() throws(Fault) -> String {
            var list: [String] = []
            repeat { list.append(form.alternative(try sequence())) } while take("|")
            return list.joined(separator: "|")
        }

        /// Items up to an alternative, an anchor or a closing parenthesis.
        private mutating func sequence() throws(Fault) -> String {
            var text = ""
            while let next = rest.first, !"|^$)".unicodeScalars.contains(next) {
                text += try item() + quantifier()
            }
            return text
        }

        private mutating func item() throws(Fault) -> String {
            switch rest.removeFirst() {
            case "(": return try group()
            case "[": return try characterClass().writtenOrFault(in: form)
            case ".": return CharacterRanges(["\n", "\r", "\u{2028}", "\u{2029}"]).complement.written(in: form)
            case "\\": return try escape().writtenOrFault(in: form)
            case "*", "+", "?": throw .invalid("there is nothing to repeat")
            case let scalar: return try CharacterRanges([scalar]).writtenOrFault(in: form)
            }
        }

        private mutating func group() throws(Fault) -> String {
            depth += 1
            defer { depth -= 1 }
            guard depth <= Self.deepest else { throw .unsupported("its groups are nested too deep") }
            if take("?") {
                guard take(":") || (take("<") && skipName()) else { throw .unsupported("it looks ahead or behind") }
            }
            let body = try alternatives()
            guard take(")") else {
                throw rest.contains(")") ? .unsupported("it has an anchor in its middle") : .invalid("a parenthesis is not closed")
            }
            return "(\(body))"
        }

        /// The name of a named group and its `>`; false when what follows is no name.
        private mutating func skipName() -> Bool {
            let name = rest.prefix { $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_" }
            rest = rest.dropFirst(name.count)
            return !name.isEmpty && take(">")
        }

        /// `*`, `+`, `?` or counts. A lazy one means the same here: a grammar knows no first match.
        private mutating func quantifier() throws(Fault) -> String {
            var text = ""
            if let sign = rest.first, "*+?".unicodeScalars.contains(sign) {
                rest.removeFirst()
                text = String(sign)
            } else if let (counts, length) = try counts() {
                rest = rest.dropFirst(length)
                text = counts
            }
            if !text.isEmpty { _ = take("?") }
            return text
        }

        /// `{2}`, `{2,}` or `{2,5}` and its length; nil for a brace that stands for itself.
        private func counts() throws(Fault) -> (String, Int)? {
            guard rest.first == "{", let end = rest.firstIndex(of: "}") else { return nil }
            let parts = String(String.UnicodeScalarView(rest[(rest.startIndex + 1)..<end])).split(
                separator: ",", omittingEmptySubsequences: false)
            guard parts.count <= 2, let least = Int(parts[0]), parts.count == 1 || parts[1].isEmpty || Int(parts[1]) != nil else {
                return nil
            }
            if parts.count == 2, let most = Int(parts[1]), most < least { throw .invalid("{\(least),\(most)} counts backwards") }
            return ("{" + parts.joined(separator: ",") + "}", end - rest.startIndex + 1)
        }

        private mutating func characterClass() throws(Fault) -> CharacterRanges {
            let isNegated = take("^")
            var found = CharacterRanges([])
            while !take("]") {
                guard let next = rest.popFirst() else { throw .invalid("a character class is not closed") }
                let low = next == "\\" ? try escape(inClass: true) : CharacterRanges([next])
                guard rest.first == "-", rest.dropFirst().first != "]", let first = low.only else {
                    found.formUnion(low)
                    continue
                }
                rest.removeFirst()
                guard let upper = rest.popFirst() else { throw .invalid("a character class is not closed") }
                let high = upper == "\\" ? try escape(inClass: true) : CharacterRanges([upper])
                guard let last = high.only, first <= last else { throw .invalid("a range of characters ends before it begins") }
                found.formUnion(CharacterRanges(ranges: [first...last]))
            }
            return isNegated ? found.complement : found
        }

        private mutating func escape(inClass: Bool = false) throws(Fault) -> CharacterRanges {
            guard let next = rest.popFirst() else { throw .invalid("it ends with a backslash") }
            switch next {
            case "d": return .digits
            case "D": return .digits.complement
            case "w": return .wordCharacters
            case "W": return .wordCharacters.complement
            case "s": return .spaces
            case "S": return .spaces.complement
            case "n": return CharacterRanges(["\n"])
            case "r": return CharacterRanges(["\r"])
            case "t": return CharacterRanges(["\t"])
            case "x": return try hexadecimal(2)
            case "u": return try hexadecimal(4)
            case _ where next.properties.isAlphabetic || next.properties.numericType != nil:
                throw .unsupported("it has the escape \\\(next)")
            default: return CharacterRanges([next])
            }
        }

        private mutating func hexadecimal(_ count: Int) throws(Fault) -> CharacterRanges {
            let digits = String(String.UnicodeScalarView(rest.prefix(count)))
            guard digits.count == count, let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else {
                throw .invalid("an escape lacks its \(count) hexadecimal digits")
            }
            rest = rest.dropFirst(count)
            return CharacterRanges([scalar])
        }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard rest.first == scalar else { return false }
            rest.removeFirst()
            return true
        }
    }
}

/// A set of characters as ranges of code points that neither touch nor overlap, in order.
struct CharacterRanges: Equatable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    static let last: UInt32 = 0x10FFFF
    static let all = CharacterRanges([]).complement
    static let digits = CharacterRanges(ranges: [0x30...0x39])
    static let wordCharacters = CharacterRanges(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let spaces = CharacterRanges(ranges: [
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F, 0x205F...0x205F,
        0x3000...0x3000, 0xFEFF...0xFEFF,
    ])

    init(_ scalars: [Unicode.Scalar]) { self.init(ranges: scalars.map { $0.value...$0.value }) }

    init(ranges: [ClosedRange<UInt32>]) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let end = self.ranges.last, range.lowerBound <= end.upperBound + 1 {
                self.ranges[self.ranges.count - 1] = end.lowerBound...max(end.upperBound, range.upperBound)
            } else {
                self.ranges.append(range)
            }
        }
    }

    mutating func formUnion(_ other: CharacterRanges) { self = CharacterRanges(ranges: ranges + other.ranges) }

    var complement: CharacterRanges {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= Self.last { gaps.append(next...Self.last) }
        return CharacterRanges(ranges: gaps)
    }

    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }

    /// The only character, if there is but one.
    var only: UInt32? { ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil }

    // MARK: As a grammar has them

    /// What JSON writes with a backslash, and the letter after it. Other control characters have no short form.
    private static let escapes: [(scalar: UInt32, letter: UInt32)] = [(0x22, 0x22), (0x5C, 0x5C), (0x0A, 0x6E), (0x0D, 0x72), (0x09, 0x74)]
    /// Characters that JSON writes as they are.
    private static let plain = CharacterRanges(ranges: [0x20...0x21, 0x23...0x5B, 0x5D...last])

    /// A class, or a choice of a class and escapes; empty when JSON can write none of the characters.
    func written(in form: SchemaPattern.Form) -> String {
        if form == .text { return ranges.isEmpty ? "" : Self.text(ranges) }
        let excluded = CharacterRanges(ranges: complement.ranges + Self.plain.complement.ranges)
        let plain = excluded.complement.ranges
        let letters = Self.escapes.filter { contains($0.scalar) }.map(\.letter)
        let choices = [
            plain.isEmpty ? nil : Self.text(plain), letters.isEmpty ? nil : Self.text([0x5C...0x5C]) + Self.text(letters.map { $0...$0 }),
        ].compactMap { $0 }
        return choices.count == 1 && letters.isEmpty ? choices[0] : choices.isEmpty ? "" : "(\(choices.joined(separator: "|")))"
    }

    fileprivate func writtenOrFault(in form: SchemaPattern.Form) throws(SchemaPattern.Fault) -> String {
        let text = written(in: form)
        guard !text.isEmpty else { throw .unsupported("it asks for characters that an answer cannot have") }
        return text
    }

    private static func text(_ ranges: [ClosedRange<UInt32>]) -> String {
        "[" + ranges.map { $0.count == 1 ? escaped($0.lowerBound) : "\(escaped($0.lowerBound))-\(escaped($0.upperBound))" }.joined()
            + "]"
    }

    /// A character in a class or a literal.
    static func escaped(_ scalar: UInt32) -> String {
        if let character = Unicode.Scalar(scalar), character.isASCII,
            character.properties.isAlphabetic || character.properties.numericType != nil
        {
            return String(character)
        }
        let digits = String(scalar, radix: 16, uppercase: true)
        return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
