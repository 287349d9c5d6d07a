import Foundation

/// Cuts text into words, the pieces that no token crosses, as bytes.
struct PreTokenizer: Sendable {
    private let patterns: [NSRegularExpression]

    /// GPT-2's pattern, which a `ByteLevel` part uses unless it says otherwise.
    private static let byteLevel = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    init(_ part: TokenizerFile.Part?) throws {
        patterns = try Self.patterns(part)
    }

    private static func patterns(_ part: TokenizerFile.Part?) throws -> [NSRegularExpression] {
        guard let part else { return [] }
        switch part.type {
        case "Sequence":
            return try (part.pretokenizers ?? []).flatMap { try patterns($0) }
        case "Split":
            guard let pattern = part.pattern?.Regex, part.behavior == "Isolated", part.invert != true else {
                throw TokenizerError(path: "", reason: "splits words in a way that is not supported")
            }
            return [try compile(pattern)]
        case "ByteLevel":
            guard part.add_prefix_space != true else { throw TokenizerError(path: "", reason: "puts a space first, which is not supported") }
            return part.use_regex == false ? [] : [try compile(byteLevel)]
        default:
            throw TokenizerError(path: "", reason: "has a pre-tokenizer of type \(part.type), which is not supported")
        }
    }

    /// ICU's `\s` lacks characters that Unicode calls white space and the reference counts as such.
    private static func compile(_ pattern: String) throws -> NSRegularExpression {
        let spaces = pattern.replacingOccurrences(of: #"\s"#, with: #"\p{White_Space}"#).replacingOccurrences(of: #"\S"#, with: #"\P{White_Space}"#)
        do {
            return try NSRegularExpression(pattern: spaces)
        } catch {
            throw TokenizerError(path: "", reason: "has the pattern \(pattern), which cannot be read")
        }
    }

    func split(_ text: String) -> [[UInt8]] {
        var words = [text]
        for pattern in patterns { words = words.flatMap { Self.isolate(pattern, in: $0) } }
        return words.map { Array($0.utf8) }
    }

    /// Every match is a word, and so is what lies between matches.
    private static func isolate(_ pattern: NSRegularExpression, in text: String) -> [String] {
        let units = Array(text.utf16)
        var words: [String] = []
        var end = 0
        func take(_ range: Range<Int>) {
            if !range.isEmpty { words.append(String(decoding: units[range], as: UTF16.self)) }
        }
        pattern.enumerateMatches(in: text, range: NSRange(location: 0, length: units.count)) { match, _, _ in
            guard let range = match?.range, range.length > 0 else { return }
            take(end..<range.location)
            take(range.location..<range.location + range.length)
            end = range.location + range.length
        }
        take(end..<units.count)
        return words
    }
}
