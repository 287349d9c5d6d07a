import OmniAPI

/// Which origins browsers may call from, and under which names the server may be called. A pure value.
///
/// A browser sends the requests of any page to any address, also to 127.0.0.1, and names the page's origin. A server that only its own
/// machine reaches and that asks for no key therefore takes none of pages from elsewhere unless told to. A page whose own name has come
/// to point at 127.0.0.1 (DNS rebinding) is of the same origin to the browser, but names itself in `Host`.
public struct OriginPolicy: Sendable, Equatable {
    /// What `--allowed-origins` lists, `*` for all; nil: all where there are keys or other machines reach the server, else pages of this
    /// machine and programs that are browsers inside (`vscode-webview://…`).
    public var origins: [String]?
    /// Further names of the server; `*` for all. `--allowed-hosts`.
    public var hosts: [String]
    /// The address that the server is bound to, or its name; nil for a Unix socket, which no browser reaches.
    public var boundHost: String?
    /// Whether a key is needed: pages have none, unless they are given it.
    public var hasKeys: Bool

    public init(origins: [String]? = nil, hosts: [String] = [], boundHost: String? = nil, hasKeys: Bool = false) {
        (self.origins, self.hosts, self.boundHost, self.hasKeys) = (origins, hosts, boundHost, hasKeys)
    }

    /// Whether only the machine itself reaches the server, and any program there may use it.
    private var isOpenOnLoopback: Bool { !hasKeys && (boundHost.map(Self.isLoopback) ?? false) }

    private var allowsAll: Bool { origins?.contains("*") ?? !isOpenOnLoopback }

    /// `Access-Control-Allow-Origin` for an origin; nil where its pages may read nothing.
    func allowed(_ origin: String) -> String? {
        if allowsAll { return "*" }
        if let origins { return origins.contains(origin) ? origin : nil }
        return Self.isLocal(origin) ? origin : nil
    }

    /// Why a request may not pass, 403; nil when it may.
    func refusal(origin: String?, host: String?) -> APIError? {
        if isOpenOnLoopback, let host, !knows(host) {
            return APIError(
                .permissionDenied, "The server is not known as `\(host.prefix(128))`.",
                remedy: "Name it with --allowed-hosts if it is, or use keys (--api-key); without either only this machine's own names pass."
            )
        }
        guard !hasKeys, boundHost != nil, let origin, allowed(origin) == nil, !Self.isSame(origin, host) else { return nil }
        return APIError(
            .permissionDenied, "Pages of `\(origin.prefix(128))` may not call this server.",
            remedy:
                "Allow them with --allowed-origins, such as '[\"https://example.com\"]', or all with '[\"*\"]'; or use keys (--api-key).")
    }

    private func knows(_ host: String) -> Bool {
        let name = Self.name(of: host)
        if name.isEmpty || Self.isLoopback(name) || name == boundHost.map(Self.name(of:)) { return true }
        return hosts.contains { $0 == "*" || Self.name(of: $0) == name }
    }

    /// The name in a `Host` header or an address: without port, brackets and a last dot, in small letters.
    static func name(of host: String) -> String {
        let small = host.lowercased()
        if small.hasPrefix("[") { return String(small.dropFirst().prefix { $0 != "]" }) }
        // An IPv6 address without brackets has no port.
        let isAddress = small.filter { $0 == ":" }.count > 1
        let name = isAddress ? Substring(small) : small.prefix { $0 != ":" }
        return String(name.hasSuffix(".") ? name.dropLast() : name)
    }

    /// Whether a name or an address always means this machine: 127.0.0.0/8, ::1, localhost and names below it (RFC 6761, 6.3).
    static func isLoopback(_ host: String) -> Bool {
        let name = name(of: host)
        if ["localhost", "::1", "0:0:0:0:0:0:0:1"].contains(name) || name.hasSuffix(".localhost") { return true }
        let bytes = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return bytes.count == 4 && bytes[0] == 127 && !bytes.contains(nil)
    }

    /// Whether an origin is a page of this machine, or none of the web. `null` is any page's that hides where it comes from.
    private static func isLocal(_ origin: String) -> Bool {
        guard let (scheme, host) = parts(origin) else { return false }
        return !["http", "https"].contains(scheme) || isLoopback(host)
    }

    /// Whether a page comes from the server itself.
    private static func isSame(_ origin: String, _ host: String?) -> Bool {
        guard let host, let (scheme, authority) = parts(origin), ["http", "https"].contains(scheme) else { return false }
        return authority == host.lowercased()
    }

    private static func parts(_ origin: String) -> (scheme: String, authority: String)? {
        let small = origin.lowercased()
        guard let split = small.firstRange(of: "://"), split.lowerBound > small.startIndex else { return nil }
        return (String(small[..<split.lowerBound]), String(small[split.upperBound...]))
    }
}
