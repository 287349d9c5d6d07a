import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import OmniAPI
import OmniAccess
import Synchronization

/// Sends requests to backends. One for the whole gateway.
public final class UpstreamClient: Sendable {
    private let client: HTTPClient

    public init(group: any EventLoopGroup) {
        var configuration = HTTPClient.Configuration()
        // Admission is the backend's business: no request may wait here for a connection. An idle one is let go before the other side
        // does so: what it closes in the moment in which a request is sent breaks that request. Servers wait 2 seconds and more
        // (gunicorn 2, uvicorn and Node 5).
        configuration.connectionPool = .init(idleTimeout: .seconds(1), concurrentHTTP1ConnectionsPerHostSoftLimit: 4096)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout = .init(connect: .seconds(2))
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        client = HTTPClient(eventLoopGroup: group, configuration: configuration)
    }

    public func shutdown() async { try? await client.shutdown() }

    /// `http+unix://…` addresses the socket of a worker.
    public static func socketURL(_ path: String) -> String {
        "http+unix://" + (path.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? path)
    }

    /// Sends to `base`. A refused or broken connection before the reply's head is thrown as ``UpstreamFailure``.
    func send(_ request: UpstreamRequest, to base: String, headTimeout: TimeAmount = .hours(24)) async throws(UpstreamFailure)
        -> UpstreamResponse
    {
        let lease = request.isWork && request.method == "POST" ? KeyLease.current : nil
        let (request, isAsking) = lease == nil ? (request, false) : request.askingForUsage()
        var outgoing = HTTPClientRequest(url: base + request.path)
        outgoing.method = HTTPMethod(rawValue: request.method)
        for (name, value) in request.headers { outgoing.headers.add(name: name, value: value) }
        if let body = request.body { outgoing.body = .bytes(body) }
        do {
            let response = try await client.execute(outgoing, timeout: headTimeout)
            var reply = UpstreamResponse(
                status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) }, body: UpstreamBody(response.body))
            if let lease, reply.status == 200 { reply.meter(for: lease, strips: isAsking) }
            return reply
        } catch {
            throw UpstreamFailure(error)
        }
    }
}

/// Why a backend gave no reply.
enum UpstreamFailure: Error {
    /// Nobody listened: the request has not begun, it may go elsewhere.
    case refused
    /// The connection broke while the request was under way.
    case broken(String)
    case cancelled

    init(_ error: any Error) {
        switch error {
        case is CancellationError: self = .cancelled
        case let error as HTTPClientError where error == .cancelled: self = .cancelled
        case let error as HTTPClientError where error == .connectTimeout: self = .refused
        case is NIOConnectionError: self = .refused
        case let error as IOError where [ECONNREFUSED, ENOENT].contains(error.errnoCode): self = .refused
        default: self = .broken("\(error)")
        }
    }
}

/// Counts a request as outstanding until it is let go.
final class OutstandingLease: Sendable {
    private let counter: OutstandingCounter?

    /// What is no work is not counted.
    init(_ counter: OutstandingCounter, isWork: Bool = true) {
        self.counter = isWork ? counter : nil
        self.counter?.change(by: 1)
    }

    deinit { counter?.change(by: -1) }
}

final class OutstandingCounter: Sendable {
    private let clock: BackendClock
    private let state: Mutex<(count: Int, lastChange: ContinuousClock.Instant)>

    init(clock: BackendClock = .system) {
        self.clock = clock
        state = Mutex((0, clock.now()))
    }

    var count: Int { state.withLock { $0.count } }
    /// Time since the last request began or ended; nil while one is outstanding.
    var idleTime: Duration? { state.withLock { $0.count == 0 ? clock.now() - $0.lastChange : nil } }

    func change(by amount: Int) {
        state.withLock {
            $0.count += amount
            $0.lastChange = clock.now()
        }
    }
}
