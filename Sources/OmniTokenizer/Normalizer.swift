import Foundation

/// What is done to a text before it is cut into words, one step after the other.
struct Normalizer: Sendable {
    private let steps: [@Sendable (String) -> String]

    init(_ part: TokenizerFile.Part?) throws {
        steps = try Self.steps(part)
    }

    func callAsFunction(_ text: String) -> String { steps.reduce(text) { $1($0) } }

    private static func steps(_ part: TokenizerFile.Part?) throws -> [@Sendable (String) -> String] {
        guard let part else { return [] }
        switch part.type {
        case "Sequence": return try (part.normalizers ?? []).flatMap { try steps($0) }
        case "NFC": return [{ $0.precomposedStringWithCanonicalMapping }]
        case "NFD": return [{ $0.decomposedStringWithCanonicalMapping }]
        case "NFKC": return [{ $0.precomposedStringWithCompatibilityMapping }]
        case "NFKD": return [{ $0.decomposedStringWithCompatibilityMapping }]
        case "Lowercase": return [{ $0.lowercased() }]
        case "Prepend":
            let prefix = part.prepend ?? ""
            return [{ $0.isEmpty ? $0 : prefix + $0 }]
        case "Strip":
            let (left, right) = (part.strip_left ?? false, part.strip_right ?? false)
            return [{ strip($0, left: left, right: right) }]
        case "Replace": return [try replacement(part)]
        case "Precompiled":
            guard let map = part.precompiled_charsmap else {
                throw TokenizerError(path: "", reason: "has a Precompiled normalizer without its table")
            }
            let table = try PrecompiledNormalizer(base64: map)
            return [{ table.normalize($0) }]
        case let other: throw TokenizerError(path: "", reason: "has a normalizer of type \(other), which is not supported")
        }
    }

    private static func strip(_ text: String, left: Bool, right: Bool) -> String {
        var scalars = text.unicodeScalars[...]
        if left { scalars = scalars.drop { $0.properties.isWhitespace } }
        while right, scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        return String(scalars)
    }

    private static func replacement(_ part: TokenizerFile.Part) throws -> @Sendable (String) -> String {
        let content = part.content ?? ""
        if let plain = part.pattern?.String {
            return { $0.replacingOccurrences(of: plain, with: content, options: .literal) }
        }
        guard let pattern = part.pattern?.Regex, let expression = try? NSRegularExpression(pattern: pattern) else {
            throw TokenizerError(path: "", reason: "replaces the pattern \(part.pattern?.Regex ?? "none"), which cannot be read")
        }
        let template = NSRegularExpression.escapedTemplate(for: content)
        return { text in
            expression.stringByReplacingMatches(in: text, range: NSRange(location: 0, length: text.utf16.count), withTemplate: template)
        }
    }
}
