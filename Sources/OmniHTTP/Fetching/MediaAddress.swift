import Foundation
import OmniAPI

/// A URL whose host is written the one way that the resolver, the rules for addresses and the HTTP client all read alike:
/// percent-encodings undone, international names as `xn--…`, small letters. Otherwise the client could look up another name than
/// the one that was checked.
struct MediaAddress: Sendable, Equatable {
    let url: URL
    /// Without the brackets of an IPv6 address.
    let host: String
    let port: Int

    /// Nil for what is no http(s) URL with a plain host and a port that there is.
    init?(_ text: String, relativeTo base: URL? = nil) {
        guard let given = URL(string: text, relativeTo: base)?.absoluteURL, let scheme = given.scheme?.lowercased(),
            ["http", "https"].contains(scheme),
            var parts = URLComponents(url: given, resolvingAgainstBaseURL: true), let name = given.host, let host = Self.canonical(name)
        else { return nil }
        parts.scheme = scheme
        parts.encodedHost = host.contains(":") ? "[\(host)]" : host
        // What the client will read, by the same call.
        guard let url = parts.url, let read = url.host, read == host || read == "[\(host)]" else { return nil }
        // Larger ports are read as numbers, and would end the process where a socket's address is made of them.
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { return nil }
        (self.url, self.host, self.port) = (url, host, port)
    }

    private static func canonical(_ name: String) -> String? {
        let bare = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
        if bare.contains(":") {
            let digits = Set("0123456789abcdef:.")
            return bare.lowercased().allSatisfy(digits.contains) ? bare.lowercased() : nil
        }
        // Read as a host once more, so that an international name which was percent-encoded is encoded as one.
        let ascii = bare.utf8.allSatisfy { $0 < 0x80 } ? bare : URL(string: "http://\(bare)/")?.host
        guard let host = ascii?.lowercased(), !host.isEmpty, host.utf8.count <= 253 else { return nil }
        let letters = Set("abcdefghijklmnopqrstuvwxyz0123456789-._")
        return host.allSatisfy(letters.contains) ? host : nil
    }
}
