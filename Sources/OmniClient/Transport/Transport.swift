internal import AsyncHTTPClient
import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPCompression
internal import NIOPosix
import OmniAPI

/// Sends calls: headers, retries, errors.
struct Transport: Sendable {
    let configuration: OmniClient.Configuration
    /// Waits between tries; a seam for tests.
    var pause: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    init(_ configuration: OmniClient.Configuration) { self.configuration = configuration }

    /// One for the process, on NIO's own threads, so that users have nothing to shut down.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(10))
        configuration.redirectConfiguration = .follow(max: 5, allowCycles: false)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        configuration.decompression = .enabled(limit: .ratio(100))
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()

    /// The reply of a call that succeeded. Throws ``OmniError``, or `CancellationError`.
    func send(_ call: Call) async throws -> Reply {
        var attempt = 0
        while true {
            do {
                return try await sendOnce(call)
            } catch let error as OmniError {
                guard call.isRepeatable, let pause = configuration.retries.pause(after: error, attempt: attempt, chance: .random(in: 0...1))
                else { throw error }
                attempt += 1
                try await self.pause(pause)
            }
        }
    }

    /// The reply's JSON, decoded.
    func json<Value: WireObject>(_ call: Call, as _: Value.Type = Value.self) async throws -> Value {
        let reply = try await send(call)
        return try reply.decode(try await reply.collect())
    }

    private func sendOnce(_ call: Call) async throws -> Reply {
        let request = try request(for: call)
        let response: HTTPClientResponse
        do {
            let limit = min(call.options.timeout ?? configuration.timeout, .seconds(1_000_000_000))
            response = try await Self.http.execute(request, timeout: .nanoseconds(Int64(limit / .nanoseconds(1))))
        } catch {
            throw failure(error)
        }
        let reply = Reply(response)
        guard (200..<300).contains(reply.status) else {
            let body = (try? await reply.collect(upTo: 1 << 20)) ?? []
            try Task.checkCancellation()
            throw OmniError(
                url: request.url, status: reply.status, body: body, requestID: reply.requestID,
                retryAfter: RetryAfter.duration(reply.header("retry-after"), now: Date()))
        }
        return reply
    }

    private func request(for call: Call) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: configuration.baseURL + call.target)
        request.method = HTTPMethod(rawValue: call.method)
        request.headers.add(name: "User-Agent", value: "OmniClient")
        if let key = configuration.apiKey { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        if let key = call.options.idempotencyKey { request.headers.add(name: "Idempotency-Key", value: key) }
        if let id = call.options.requestID { request.headers.add(name: "X-Request-Id", value: id) }
        for (name, value) in configuration.headers.sorted(by: { $0.key < $1.key }) {
            request.headers.replaceOrAdd(name: name, value: value)
        }
        switch call.body {
        case .none: break
        case .json(let json):
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: json.jsonBytes))
        case .form(let form):
            request.headers.add(name: "Content-Type", value: form.contentType)
            request.body = .stream(try form.body(), length: .known(try form.length()))
        }
        return request
    }

    private func failure(_ error: any Error) -> any Error {
        let base = configuration.baseURL
        switch error {
        case is CancellationError: return error
        case let error as OmniError: return error
        case let error as HTTPClientError where error == .cancelled: return CancellationError()
        case let error as HTTPClientError where [.deadlineExceeded, .readTimeout, .writeTimeout].contains(error):
            return OmniError(.timedOut, "The server at \(base) did not answer in time.")
        case let error as HTTPClientError where error == .invalidURL || error == .emptyHost || error == .emptyScheme:
            return OmniError(.unreachable, "\(base) is not a URL of a server.")
        case is NIOConnectionError, is IOError: return OmniError(.unreachable, "No server answers at \(base).")
        case let error as HTTPClientError where error == .connectTimeout: return OmniError(.unreachable, "No server answers at \(base).")
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return OmniError(.interrupted, "The server at \(base) closed the connection.")
        // Not the whole error, which may hold the key.
        case let error as HTTPClientError: return OmniError(.interrupted, "The connection to \(base) failed: \(error.shortDescription).")
        default: return OmniError(.interrupted, "The connection to \(base) failed: \(error)")
        }
    }
}

extension Transport {
    /// A stream of bytes as they come.
    func bytes(_ call: Call) async throws -> ByteStream { ByteStream(try await send(call)) }
}
