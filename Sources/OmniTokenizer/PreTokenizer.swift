import Foundation

/// Cuts text into words, the pieces that no token crosses, as bytes.
struct PreTokenizer: Sendable {
    private enum Step: Sendable {
        /// Every match is a word, and so is what lies between matches.
        case isolate(NSRegularExpression)
        /// Words are what white space parts.
        case whitespace
        /// Spaces become `mark`, which begins a word.
        case mark(String, Prefix, splits: Bool)
    }

    /// Which words get a mark although no space stands before them.
    private enum Prefix: String { case always, first, never }

    private struct Word {
        let text: String
        /// Whether the whole text begins with it.
        let isFirst: Bool
    }

    private let steps: [Step]

    /// GPT-2's pattern, which a `ByteLevel` part uses unless it says otherwise.
    private static let byteLevel = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    init(_ part: TokenizerFile.Part?) throws {
        steps = try Self.steps(part)
    }

    private static func steps(_ part: TokenizerFile.Part?) throws -> [Step] {
        guard let part else { return [] }
        switch part.type {
        case "Sequence":
            return try (part.pretokenizers ?? []).flatMap { try steps($0) }
        case "Split":
            guard let pattern = part.pattern?.Regex, part.behavior == "Isolated", part.invert != true else {
                throw TokenizerError(path: "", reason: "splits words in a way that is not supported")
            }
            return [.isolate(try compile(pattern))]
        case "ByteLevel":
            guard part.add_prefix_space != true else {
                throw TokenizerError(path: "", reason: "puts a space first, which is not supported")
            }
            return part.use_regex == false ? [] : [.isolate(try compile(byteLevel))]
        case "WhitespaceSplit":
            return [.whitespace]
        case "Metaspace":
            // Older files say with `add_prefix_space` what newer ones say with the scheme.
            let scheme = part.prepend_scheme ?? (part.add_prefix_space == false ? "never" : "always")
            guard let prefix = Prefix(rawValue: scheme), let mark = part.replacement else {
                throw TokenizerError(path: "", reason: "marks words in a way that is not supported: \(scheme)")
            }
            return [.mark(mark, prefix, splits: part.split ?? true)]
        default:
            throw TokenizerError(path: "", reason: "has a pre-tokenizer of type \(part.type), which is not supported")
        }
    }

    /// ICU's `\s` lacks characters that Unicode calls white space and the reference counts as such.
    private static func compile(_ pattern: String) throws -> NSRegularExpression {
        let spaces = pattern.replacingOccurrences(of: #"\s"#, with: #"\p{White_Space}"#).replacingOccurrences(
            of: #"\S"#, with: #"\P{White_Space}"#)
        do {
            return try NSRegularExpression(pattern: spaces)
        } catch {
            throw TokenizerError(path: "", reason: "has the pattern \(pattern), which cannot be read")
        }
    }

    /// - Parameter isFirst: whether nothing stands before `text`.
    func split(_ text: String, isFirst: Bool = true) -> [[UInt8]] {
        var words = text.isEmpty ? [] : [Word(text: text, isFirst: isFirst)]
        for step in steps { words = words.flatMap { Self.apply(step, $0) } }
        return words.map { Array($0.text.utf8) }
    }

    private static func apply(_ step: Step, _ word: Word) -> [Word] {
        switch step {
        case .isolate(let pattern): isolate(pattern, in: word)
        case .whitespace: whitespace(word)
        case .mark(let mark, let prefix, let splits): marked(word, mark, prefix, splits)
        }
    }

    private static func isolate(_ pattern: NSRegularExpression, in word: Word) -> [Word] {
        let units = Array(word.text.utf16)
        var words: [Word] = []
        var end = 0
        func take(_ range: Range<Int>) {
            if !range.isEmpty {
                words.append(Word(text: String(decoding: units[range], as: UTF16.self), isFirst: word.isFirst && words.isEmpty))
            }
        }
        pattern.enumerateMatches(in: word.text, range: NSRange(location: 0, length: units.count)) { match, _, _ in
            guard let range = match?.range, range.length > 0 else { return }
            take(end..<range.location)
            take(range.location..<range.location + range.length)
            end = range.location + range.length
        }
        take(end..<units.count)
        return words
    }

    private static func whitespace(_ word: Word) -> [Word] {
        let parts = word.text.unicodeScalars.split { $0.properties.isWhitespace }
        let beginsWithWord = word.text.unicodeScalars.first?.properties.isWhitespace == false
        return parts.enumerated().map { Word(text: String($1), isFirst: word.isFirst && beginsWithWord && $0 == 0) }
    }

    private static func marked(_ word: Word, _ mark: String, _ prefix: Prefix, _ splits: Bool) -> [Word] {
        let sign = Array(mark.utf8)
        var bytes = word.text.utf8.flatMap { $0 == 0x20 ? sign : [$0] }
        if prefix == .always || (prefix == .first && word.isFirst), !bytes.starts(with: sign) { bytes = sign + bytes }
        guard splits else { return [Word(text: String(decoding: bytes, as: UTF8.self), isFirst: word.isFirst)] }
        // A mark is one character: its first byte begins nothing else that ends with its last.
        let starts = [0] + (1..<max(1, bytes.count)).filter { bytes[$0...].starts(with: sign) }
        return starts.enumerated().map { index, start in
            let end = index + 1 < starts.count ? starts[index + 1] : bytes.count
            return Word(text: String(decoding: bytes[start..<end], as: UTF8.self), isFirst: word.isFirst && index == 0)
        }
    }
}
