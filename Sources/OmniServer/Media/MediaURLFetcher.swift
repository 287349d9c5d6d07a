import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine

/// Fetches media named in requests: public addresses only, checked after the name has been resolved; the connection goes to
/// the very address that was checked; each redirect is checked again; bytes and time are limited.
public struct MediaURLFetcher: MediaFetcher {
    private let group: any EventLoopGroup
    /// Hosts that may be asked, private ones among them; empty allows every public one. `--allowed-media-domains`.
    private let allowedDomains: [String]
    private let timeout: TimeAmount

    public init(group: any EventLoopGroup, allowedDomains: [String] = [], timeout: TimeAmount = .seconds(30)) {
        self.group = group
        self.allowedDomains = allowedDomains.map { $0.lowercased() }
        self.timeout = timeout
    }

    private static let mostRedirects = 3

    public func fetch(_ text: String, limit: Int, param: String) async throws -> [UInt8] {
        var target = text
        for _ in 0...Self.mostRedirects {
            switch try await get(target, limit: limit, param: param) {
            case .bytes(let bytes): return bytes
            case .redirect(let next): target = next
            }
        }
        throw APIError.invalid(param, "The address \(Self.short(text)) redirects more than \(Self.mostRedirects) times.")
    }

    private enum Step {
        case bytes([UInt8])
        case redirect(String)
    }

    /// Posts under the same rules, without following redirects; the status of the answer, whose body is not read.
    func post(_ text: String, headers: [(String, String)], body: [UInt8]) async throws -> Int {
        try await connected(to: text, param: "webhook_url") { url, client in
            var request = HTTPClientRequest(url: url.absoluteString)
            request.method = .POST
            for (name, value) in headers { request.headers.add(name: name, value: value) }
            request.body = .bytes(body)
            return Int(try await client.execute(request, timeout: timeout).status.code)
        }
    }

    private func get(_ text: String, limit: Int, param: String) async throws -> Step {
        try await connected(to: text, param: param) { try await read($0, with: $1, limit: limit, param: param) }
    }

    /// Calls `body` with a client that can reach nothing but the address that was checked.
    private func connected<Value: Sendable>(to text: String, param: String, _ body: (URL, HTTPClient) async throws -> Value) async throws -> Value {
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme), let host = url.host(), !host.isEmpty else {
            throw APIError.invalid(param, "\(Self.short(text)) is not an http(s) URL.")
        }
        let address = try await resolve(host, port: url.port ?? (scheme == "https" ? 443 : 80), param: param)
        var configuration = HTTPClient.Configuration()
        configuration.dnsOverride = [host: address]
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(5))
        let client = HTTPClient(eventLoopGroup: group, configuration: configuration)
        do {
            let value = try await body(url, client)
            try? await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            if error is APIError || error is CancellationError { throw error }
            throw APIError.invalid(param, "\(Self.short(text)) could not be fetched.", remedy: "Send the data in a data: URL instead.")
        }
    }

    private func read(_ url: URL, with client: HTTPClient, limit: Int, param: String) async throws -> Step {
        let response = try await client.execute(HTTPClientRequest(url: url.absoluteString), timeout: timeout)
        if (300..<400).contains(response.status.code), let location = response.headers.first(name: "location"), let next = URL(string: location, relativeTo: url) {
            return .redirect(next.absoluteString)
        }
        guard response.status == .ok else {
            throw APIError.invalid(param, "\(Self.short(url.absoluteString)) answered \(response.status.code).")
        }
        var bytes: [UInt8] = []
        for try await chunk in response.body {
            guard bytes.count + chunk.readableBytes <= limit else {
                throw APIError(.tooLarge, "\(Self.short(url.absoluteString)) is larger than the limit of \(limit) bytes.", remedy: "--limit-mm-bytes raises it.", param: param)
            }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return .bytes(bytes)
    }

    /// An address of `host` that may be connected to.
    private func resolve(_ host: String, port: Int, param: String) async throws -> String {
        let isNamed = allowedDomains.contains(host.lowercased())
        guard allowedDomains.isEmpty || isNamed else {
            throw APIError.invalid(param, "The host \(Self.short(host)) is not among the allowed media domains.", remedy: "--allowed-media-domains lists them.")
        }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        // getaddrinfo blocks; NIO's thread pool is where that belongs.
        guard let address = try? await NIOThreadPool.singleton.runIfActive({ try SocketAddress.makeAddressResolvingHost(bare, port: port) }) else {
            throw APIError.invalid(param, "The host \(Self.short(host)) cannot be resolved.")
        }
        guard isNamed || AddressRules.isPublic(address), let ip = address.ipAddress else {
            throw APIError.invalid(param, "The host \(Self.short(host)) is not at a public address.", remedy: "--allowed-media-domains can name it.")
        }
        return ip
    }

    private static func short(_ text: String) -> String { text.count <= 100 ? text : text.prefix(97) + "…" }
}
