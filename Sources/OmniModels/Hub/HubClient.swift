import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import OmniAPI

/// Talks to the Hub: which commit a repository is at, which files it has, their bytes.
public struct HubClient: Sendable {
    public let configuration: HubConfiguration
    let http: HTTPClient
    let logger: Logger

    /// `http` should follow redirects and not decompress (``withClient(_:logger:_:)`` makes such a one).
    public init(configuration: HubConfiguration, http: HTTPClient, logger: Logger = Logger(label: "omni.models")) {
        self.configuration = configuration
        self.http = http
        self.logger = logger
    }

    /// Runs `body` with a client whose connections end with it.
    public static func withClient<Result: Sendable>(
        _ configuration: HubConfiguration, logger: Logger = Logger(label: "omni.models"),
        _ body: @Sendable (HubClient) async throws -> Result
    ) async throws -> Result {
        try await withHTTP { http in try await body(HubClient(configuration: configuration, http: http, logger: logger)) }
    }

    /// Runs `body` with connections that follow redirects, and end with it.
    static func withHTTP<Result: Sendable>(_ body: @Sendable (HTTPClient) async throws -> Result) async throws -> Result {
        var settings = HTTPClient.Configuration(
            redirectConfiguration: .follow(max: 10, allowCycles: false),
            timeout: .init(connect: .seconds(15), read: .seconds(60)),
            decompression: .disabled)
        // One connection per file: one HTTP/2 connection would share a single flow-control window.
        settings.httpVersion = .http1Only
        // Who fetches knows better when to try again.
        settings.connectionPool.retryConnectionEstablishment = false
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        do {
            let result = try await body(http)
            try await http.shutdown()
            return result
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    /// The commit that `revision` names now.
    func commit(of id: HubID, revision: String, onEvent: @Sendable (PullEvent) -> Void = { _ in }) async throws -> String {
        let json = try await self.json("\(configuration.endpoint)/api/models/\(id)/revision/\(Self.encoded(revision))", id, onEvent).body
        guard let sha = json["sha"]?.stringValue, HubCache.isRevision(sha) else {
            throw HubError("The Hub did not say which commit \(id) is at.", remedy: "Is \(configuration.endpoint) a Hugging Face Hub?")
        }
        return sha
    }

    /// Every file of the repository at `commit`, over all pages of the listing.
    func files(of id: HubID, commit: String, onEvent: @Sendable (PullEvent) -> Void = { _ in }) async throws -> [HubFile] {
        var files: [HubFile] = []
        var next: String? = "\(configuration.endpoint)/api/models/\(id)/tree/\(commit)?recursive=true"
        for _ in 0..<200 {
            guard let url = next else { return files }
            let page = try await json(url, id, onEvent)
            guard let entries = page.body.arrayValue else { throw HubError("The Hub's listing of \(id) is not a list.") }
            for entry in entries {
                if let file = try HubFile(entry: entry) { files.append(file) }
            }
            next = page.next
        }
        throw HubError("The Hub's listing of \(id) does not end.")
    }

    /// Asks for the bytes of a file from `offset` on. Throws ``TransientError`` for what may pass, ``HubError`` for what won't.
    func open(_ file: HubFile, of id: HubID, commit: String, from offset: Int64) async throws -> HTTPClientResponse {
        let path = file.path.split(separator: "/").map { Self.encoded(String($0)) }.joined(separator: "/")
        var request = request("\(configuration.endpoint)/\(id)/resolve/\(commit)/\(path)")
        if offset > 0 { request.headers.add(name: "Range", value: "bytes=\(offset)-") }
        return try await send(request, id)
    }

    private func json(_ url: String, _ id: HubID, _ onEvent: @Sendable (PullEvent) -> Void) async throws -> (body: JSONValue, next: String?)
    {
        var delay = configuration.firstDelay
        for attempt in 1... {
            do {
                let response = try await send(request(url), id)
                var buffer = try await response.body.collect(upTo: 64 << 20)
                let bytes = buffer.readBytes(length: buffer.readableBytes) ?? []
                guard let body = try? JSONValue.parse(bytes) else {
                    throw HubError("\(url) did not answer with JSON.", remedy: "Is \(configuration.endpoint) a Hugging Face Hub?")
                }
                return (body, nextPage(response.headers.first(name: "Link"), of: url))
            } catch {
                // A name that does not resolve at the very start is a missing network or a typing error.
                guard let fault = Self.transient(error), attempt < configuration.attempts, !fault.isUnknownHost else {
                    throw Self.lasting(error, url)
                }
                let wait = min(fault.retryAfter ?? delay, configuration.longestDelay)
                onEvent(.retrying(path: url, reason: fault.description, delay: wait))
                try await Task.sleep(for: wait)
                delay *= 2
            }
        }
        throw HubError("\(url) was not reached.")
    }

    private func request(_ url: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "User-Agent", value: "swift-omni")
        request.headers.add(name: "Accept-Encoding", value: "identity")
        if let token = configuration.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        return request
    }

    private func send(_ request: HTTPClientRequest, _ id: HubID) async throws -> HTTPClientResponse {
        // A day: the real limits are on connecting and on silence.
        let response = try await http.execute(request, deadline: .now() + .hours(24), logger: logger)
        let status = response.status
        switch status.code {
        case 200, 206: return response
        case 401, 403:
            throw HubError(
                "The Hub refused access to \(id) (\(status.code)).",
                remedy: configuration.token == nil
                    ? "It may be private, gated or misspelt: accept its licence on \(configuration.endpoint)/\(id) and set HF_TOKEN."
                    : "Check that HF_TOKEN is valid and that its account has accepted the licence on \(configuration.endpoint)/\(id).")
        case 404:
            throw HubError(
                "The Hub has no \(id), or not this file of it (404).", remedy: "Check the name on \(configuration.endpoint)/\(id).")
        default:
            if let fault = TransientError(response) { throw fault }
            throw HubError("The Hub answered \(status.code) for \(request.url).")
        }
    }

    /// `<url>; rel="next"`, followed on the endpoint's own host only.
    private func nextPage(_ link: String?, of url: String) -> String? {
        guard let link, let match = link.firstMatch(of: /<([^>]*)>\s*;\s*rel="next"/), let base = URL(string: url),
            let next = URL(string: String(match.output.1), relativeTo: base)?.absoluteURL,
            next.host == base.host, next.port == base.port, next.scheme == base.scheme
        else { return nil }
        return next.absoluteString
    }

    /// The fault if it may pass by itself. Errors of this module and cancellation do not; a broken connection does.
    static func transient(_ error: any Error) -> TransientError? {
        switch error {
        case let error as TransientError: error
        case is HubError, is ModelError, is CancellationError: nil
        case let error as HTTPClientError where error == .cancelled || error == .invalidURL || error == .emptyHost: nil
        default: TransientError(error)
        }
    }

    /// The error as the user should read it.
    static func lasting(_ error: any Error, _ url: String, setting: String = "HF_ENDPOINT") -> any Error {
        guard let fault = transient(error) else { return error }
        return HubError(
            "\(url) could not be reached: \(fault).",
            remedy: "Check the network and \(setting); what has arrived stays and the next try goes on from there.")
    }

    private static func encoded(_ part: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        return part.addingPercentEncoding(withAllowedCharacters: allowed) ?? part
    }
}
