import Crypto
import Foundation

/// A key that opens `/v1`: who has it, what it may do, how much of it, and until when. The key itself is not kept, only its SHA-256.
public struct APIKey: Sendable, Equatable {
    /// What the log, `/metrics` and errors call it; no secret.
    public var name: String
    /// SHA-256 of the key, 32 bytes.
    public var digest: [UInt8]
    /// From then on it opens nothing.
    public var expiry: Date?
    public var scope: KeyScope
    public var limits: KeyLimits
    /// Given by `--api-key`: its holder runs the server, and sees everybody's usage.
    public var isOwners: Bool

    public init(
        name: String, digest: [UInt8], expiry: Date? = nil, scope: KeyScope = KeyScope(), limits: KeyLimits = KeyLimits(),
        isOwners: Bool = false
    ) {
        (self.name, self.digest, self.expiry, self.scope, self.limits) = (name, digest, expiry, scope, limits)
        self.isOwners = isOwners
    }

    /// The digest of a key as a configuration has it: the key itself, or `sha256:` with 64 hexadecimal digits. nil for one that is empty
    /// or has another form after `sha256:`.
    public static func digest(ofConfigured text: String) -> [UInt8]? {
        guard text.hasPrefix("sha256:") else { return text.isEmpty ? nil : digest(of: text) }
        let digits = Array(text.utf8.dropFirst(7))
        guard digits.count == 64 else { return nil }
        let nibbles = digits.compactMap { Character(UnicodeScalar($0)).hexDigitValue.map { UInt8($0) } }
        guard nibbles.count == 64 else { return nil }
        return (0..<32).map { nibbles[2 * $0] << 4 | nibbles[2 * $0 + 1] }
    }

    /// SHA-256 of a key's UTF-8.
    public static func digest(of secret: String) -> [UInt8] { Array(SHA256.hash(data: Data(secret.utf8))) }

    /// Whether this is the key of a digest. The time it takes tells nothing about where they differ.
    func hasDigest(_ other: [UInt8]) -> Bool {
        guard other.count == digest.count else { return false }
        return zip(digest, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// How much a key may do; nil is no limit.
public struct KeyLimits: Sendable, Equatable {
    /// Requests a minute, 1 and more.
    public var requestsPerMinute: Int?
    /// Tokens of prompts and answers a minute, 1 and more.
    public var tokensPerMinute: Int?
    /// Requests at once, 1 and more.
    public var concurrentRequests: Int?

    public init(requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil, concurrentRequests: Int? = nil) {
        (self.requestsPerMinute, self.tokensPerMinute) = (requestsPerMinute, tokensPerMinute)
        self.concurrentRequests = concurrentRequests
    }
}
