import Foundation

/// What a user writes for a model, taken apart: `path/to/file.gguf`, `path/to/folder`, `owner/name`, `owner/name:Q4_K_M`, or
/// the plain name of a starter model. Which of these it is depends on what lies on the disk; this type only reads the text.
public struct ModelReference: Sendable, Hashable {
    /// As written.
    public let text: String
    /// What stands before the last colon: a path, a Hub id or a name.
    public let base: String
    /// What stands after it: a quantisation such as `Q4_K_M`, or for `omni models pull` a file or a pattern.
    public let variant: String?

    public init(_ text: String) {
        self.text = text
        // A colon belongs to a path when a slash follows it, unless a Hub id stands before it.
        if let colon = text.lastIndex(of: ":"), colon != text.startIndex, text.index(after: colon) != text.endIndex,
            !text[colon...].contains("/") || HubID(String(text[..<colon])) != nil
        {
            base = String(text[..<colon])
            variant = String(text[text.index(after: colon)...])
        } else {
            base = text
            variant = nil
        }
    }

    /// The Hub id when the text before the colon can be one.
    public var hubID: HubID? { HubID(base) }

    /// Whether it can only mean a place on the disk.
    public var looksLikePath: Bool {
        base.hasPrefix("/") || base.hasPrefix("./") || base.hasPrefix("../") || base.hasPrefix("~") || base == "."
            || base.lowercased().hasSuffix(".gguf")
    }
}

/// `owner/name` on the Hub, spelled so that it is also safe as a folder name.
public struct HubID: Sendable, Hashable, CustomStringConvertible {
    public let owner: String
    public let name: String

    /// Nil unless the text is two parts of letters, digits, `-`, `_` and `.`, neither starting with `.` or `-`.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy(Self.isPart) else { return nil }
        owner = String(parts[0])
        name = String(parts[1])
    }

    public var description: String { "\(owner)/\(name)" }

    /// `models--owner--name`, the folder's name in the cache.
    public var cacheFolder: String { "models--\(owner)--\(name)" }

    /// The id that a cache folder is named after.
    public init?(cacheFolder: String) {
        guard cacheFolder.hasPrefix("models--") else { return nil }
        let rest = cacheFolder.dropFirst("models--".count)
        guard let middle = rest.range(of: "--") else { return nil }
        self.init("\(rest[..<middle.lowerBound])/\(rest[middle.upperBound...])")
    }

    private static func isPart(_ part: Substring) -> Bool {
        guard let first = part.utf8.first, part.utf8.count <= 96, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else {
            return false
        }
        return !part.contains("..")
            && part.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
