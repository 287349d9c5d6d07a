import Foundation
import OmniAccess
import Yams

/// API keys, in a configuration's `api-keys` and in a file of their own.
extension ConfigurationReader {
    /// A list of keys, or `keys:` with one.
    func keysFile(_ root: Node) throws -> [APIKey] {
        guard root.mapping != nil else { return try keys(root) }
        var found: [APIKey] = []
        for (key, value) in try members(root, of: "the file") {
            guard try name(key) == "keys" else { throw unknown(try name(key), key, known: ["keys"]) }
            found = try keys(value)
        }
        return found
    }

    func keys(_ node: Node) throws -> [APIKey] {
        var names: Set<String> = []
        return try list(node, "keys").map { node in
            let key = try key(node)
            guard names.insert(key.name).inserted else { throw fault(node, "two keys are called \(key.name)") }
            return key
        }
    }

    private static let members = [
        "name", "key", "expires", "routes", "models", "requests-per-minute", "tokens-per-minute", "concurrent-requests",
    ]

    private func key(_ node: Node) throws -> APIKey {
        var key = APIKey(name: "", digest: [])
        for (member, value) in try members(node, of: "a key") {
            switch try name(member) {
            case "name": key.name = try label(value)
            case "key":
                guard let digest = APIKey.digest(ofConfigured: try text(value, "key")) else {
                    throw fault(value, "key has another form than sha256: and 64 hexadecimal digits")
                }
                key.digest = digest
            case "expires": key.expiry = try date(value)
            case "routes": key.scope.routes = try routes(value)
            case "models": key.scope.models = try texts(value, "models")
            case "requests-per-minute": key.limits.requestsPerMinute = try count(value, "requests-per-minute")
            case "tokens-per-minute": key.limits.tokensPerMinute = try count(value, "tokens-per-minute")
            case "concurrent-requests": key.limits.concurrentRequests = try count(value, "concurrent-requests")
            case let other: throw unknown(other, member, known: Self.members)
            }
        }
        guard !key.name.isEmpty, !key.digest.isEmpty else { throw fault(node, "a key needs a name and a key") }
        return key
    }

    /// Names stand in the log and in metrics.
    private func label(_ node: Node) throws -> String {
        let name = try text(node, "name")
        let isPlain = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"\"\\`".utf8.contains($0) }
        guard isPlain, name.count <= 64 else { throw fault(node, "a key's name has up to 64 visible ASCII characters, no quotes") }
        guard !name.hasPrefix("api-key-") else { throw fault(node, "names that begin with api-key- are those of --api-key") }
        return name
    }

    private func routes(_ node: Node) throws -> [String] {
        try texts(node, "routes").map { route in
            guard route.hasPrefix("/") else { throw fault(node, "\(route) is no path, which begins with /") }
            return route
        }
    }

    private func count(_ node: Node, _ place: String) throws -> Int {
        guard let count = node.scalar.flatMap({ Int($0.string) }), (1...1_000_000_000_000).contains(count) else {
            throw fault(node, "\(place) must be a whole number from 1 on; leave it out for no limit")
        }
        return count
    }

    /// A day, which means its beginning in UTC, or a moment as RFC 3339 writes it.
    private func date(_ node: Node) throws -> Date {
        let text = try text(node, "expires")
        let form = Date.ISO8601FormatStyle().year().month().day()
        // The 31st of February would be read as the 3rd of March.
        let day = (try? Date(String(text.prefix(10)), strategy: form)).flatMap { $0.formatted(form) == text.prefix(10) ? $0 : nil }
        guard let day, let date = text.count == 10 ? day : try? Date(text, strategy: .iso8601) else {
            throw fault(node, "expires is \(text); it must be a day such as 2027-01-31 or a moment such as 2027-01-31T12:00:00Z")
        }
        return date
    }
}
