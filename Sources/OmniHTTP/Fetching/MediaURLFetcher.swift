import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import OmniAPI
import OmniEngine

/// Fetches media named in requests: public addresses only, checked after the name has been resolved; the connection goes to
/// the very address that was checked; each redirect is checked again; bytes and time, the body's too, are limited.
public struct MediaURLFetcher: MediaFetcher {
    private let group: any EventLoopGroup
    /// Hosts that may be asked, private ones among them; empty allows every public one. `--allowed-media-domains`.
    private let allowedDomains: [String]
    /// Of a whole request, redirects and the last byte of the body included.
    private let timeout: Duration

    public init(group: any EventLoopGroup, allowedDomains: [String] = [], timeout: Duration = .seconds(30)) {
        self.group = group
        // As hosts are written in addresses: international names as `xn--…`.
        self.allowedDomains = allowedDomains.map { MediaAddress("http://\($0)/")?.host ?? $0.lowercased() }
        self.timeout = timeout
    }

    private static let mostRedirects = 3
    /// The client's own limit, which ends with the reply's head: ours is shorter and covers all.
    private static let wholeDay = TimeAmount.hours(24)

    public func fetch(_ text: String, limit: Int, param: String) async throws -> [UInt8] {
        guard let first = MediaAddress(text) else { throw Self.notAnAddress(text, param) }
        return try await inTime(text, param) {
            var target = first
            for _ in 0...Self.mostRedirects {
                switch try await get(target, limit: limit, param: param) {
                case .bytes(let bytes): return bytes
                case .redirect(let next): target = next
                }
            }
            throw APIError.invalid(param, "The address \(Self.short(text)) redirects more than \(Self.mostRedirects) times.")
        }
    }

    private static func notAnAddress(_ text: String, _ param: String) -> APIError {
        .invalid(param, "\(short(text)) is not an http(s) URL.")
    }

    /// Runs `body` and ends it when its time is over, whatever it waits for: the client's own limit ends with the reply's head.
    private func inTime<Value: Sendable>(_ text: String, _ param: String, _ body: @escaping @Sendable () async throws -> Value) async throws
        -> Value
    {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask { [timeout] in
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else {
                throw APIError.invalid(
                    param, "\(Self.short(text)) did not arrive within \(timeout.components.seconds) seconds.",
                    remedy: "Send the data in a data: URL instead.")
            }
            return value
        }
    }

    private enum Step {
        case bytes([UInt8])
        case redirect(MediaAddress)
    }

    /// Posts under the same rules, without following redirects; the status of the answer, whose body is not read.
    public func post(_ text: String, headers: [(String, String)], body: [UInt8]) async throws -> Int {
        guard let target = MediaAddress(text) else { throw Self.notAnAddress(text, "webhook_url") }
        return try await inTime(text, "webhook_url") {
            try await connected(to: target, param: "webhook_url") { client in
                var request = HTTPClientRequest(url: target.url.absoluteString)
                request.method = .POST
                for (name, value) in headers { request.headers.add(name: name, value: value) }
                request.body = .bytes(body)
                return Int(try await client.execute(request, timeout: Self.wholeDay).status.code)
            }
        }
    }

    private func get(_ target: MediaAddress, limit: Int, param: String) async throws -> Step {
        try await connected(to: target, param: param) { try await read(target, with: $0, limit: limit, param: param) }
    }

    /// Calls `body` with a client that can reach nothing but the address that was checked.
    private func connected<Value: Sendable>(to target: MediaAddress, param: String, _ body: (HTTPClient) async throws -> Value) async throws
        -> Value
    {
        let address = try await resolve(target, param: param)
        var configuration = HTTPClient.Configuration()
        configuration.dnsOverride = [target.host: address]
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(5))
        let client = HTTPClient(eventLoopGroup: group, configuration: configuration)
        do {
            let value = try await body(client)
            try? await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            if error is APIError || error is CancellationError || Task.isCancelled { throw error }
            throw APIError.invalid(
                param, "\(Self.short(target.url.absoluteString)) could not be fetched.", remedy: "Send the data in a data: URL instead.")
        }
    }

    private func read(_ target: MediaAddress, with client: HTTPClient, limit: Int, param: String) async throws -> Step {
        let url = target.url
        let response = try await client.execute(HTTPClientRequest(url: url.absoluteString), timeout: Self.wholeDay)
        if (300..<400).contains(response.status.code), let location = response.headers.first(name: "location") {
            guard let next = MediaAddress(location, relativeTo: url) else { throw Self.notAnAddress(location, param) }
            return .redirect(next)
        }
        guard response.status == .ok else {
            throw APIError.invalid(param, "\(Self.short(url.absoluteString)) answered \(response.status.code).")
        }
        var bytes: [UInt8] = []
        for try await chunk in response.body {
            guard bytes.count + chunk.readableBytes <= limit else {
                throw APIError(
                    .tooLarge, "\(Self.short(url.absoluteString)) is larger than the limit of \(limit) bytes.",
                    remedy: "--limit-mm-bytes raises it.", param: param)
            }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return .bytes(bytes)
    }

    /// An address of the host that may be connected to.
    private func resolve(_ target: MediaAddress, param: String) async throws -> String {
        let (host, port) = (target.host, target.port)
        let isNamed = allowedDomains.contains(host)
        guard allowedDomains.isEmpty || isNamed else {
            throw APIError.invalid(
                param, "The host \(Self.short(host)) is not among the allowed media domains.", remedy: "--allowed-media-domains lists them."
            )
        }
        // getaddrinfo blocks; NIO's thread pool is where that belongs.
        guard let address = try? await NIOThreadPool.singleton.runIfActive({ try SocketAddress.makeAddressResolvingHost(host, port: port) })
        else {
            throw APIError.invalid(param, "The host \(Self.short(host)) cannot be resolved.")
        }
        guard isNamed || AddressRules.isPublic(address), let ip = address.ipAddress else {
            throw APIError.invalid(
                param, "The host \(Self.short(host)) is not at a public address.", remedy: "--allowed-media-domains can name it.")
        }
        return ip
    }

    private static func short(_ text: String) -> String { text.count <= 100 ? text : text.prefix(97) + "…" }
}
