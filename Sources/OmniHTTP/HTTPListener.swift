import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OmniAPI
import OmniAccess
import OmniEngine
import ServiceLifecycle

/// Serves a route table on one address: request ids, authorization, CORS, errors as envelopes, metrics and the access log,
/// all in one place and in that order.
public struct HTTPListener: Sendable {
    public enum Address: Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    public struct Configuration: Sendable {
        public var address: Address
        public var limits: RequestLimits
        /// Keys that open `/v1`; none means open to all.
        public var keys: KeyStore
        /// Which pages may call, and under which names.
        public var pages: OriginPolicy
        /// Whether replies carry the request id, and requests are logged and counted.
        public var isPublic: Bool
        /// Time and size on connections.
        public var connections: ConnectionLimits

        public init(
            address: Address, limits: RequestLimits = .init(), keys: KeyStore = .none, pages: OriginPolicy = .init(),
            isPublic: Bool = true,
            connections: ConnectionLimits = .init()
        ) {
            self.address = address
            self.limits = limits
            self.connections = connections
            self.keys = keys
            self.pages = pages
            self.isPublic = isPublic
        }
    }

    let configuration: Configuration
    let routes: RouteTable
    let sockets: WebSocketRoutes
    let metrics: HTTPMetrics
    let logger: Logger
    /// Answers before routing, for the few replies that must cost next to nothing (`/health`).
    let shortcut: @Sendable (HTTPRequest) -> Response?

    public init(
        configuration: Configuration, routes: RouteTable, sockets: WebSocketRoutes = WebSocketRoutes(), metrics: HTTPMetrics,
        logger: Logger,
        shortcut: @escaping @Sendable (HTTPRequest) -> Response? = { _ in nil }
    ) {
        self.configuration = configuration
        self.routes = routes
        self.sockets = sockets
        self.metrics = metrics
        self.logger = logger
        self.shortcut = shortcut
    }

    /// The server as a service; `onRunning` is told the bound port once it listens (0 for a Unix socket).
    public func service(group: any EventLoopGroup, onRunning: @escaping @Sendable (Int) async -> Void) throws -> any Service {
        let responder = routes.responder()
        let gate = AccessGate(keys: configuration.keys, pages: configuration.pages)
        let date = HTTPDate()
        let address: BindAddress =
            switch configuration.address {
            case .tcp(let host, let port): .hostname(host, port: port)
            case .unix(let path): .unixDomainSocket(path: path)
            }
        var sockets = sockets
        sockets.gate = gate
        let builder = HTTPServerBuilder { [self, sockets] responder in
            HTTPChannel(responder: responder, sockets: sockets, limits: configuration.connections) { refusal($0, date: date) }
        }
        return try builder.buildServer(
            configuration: .init(address: address, serverName: Self.serverName, backlog: 1024), eventLoopGroup: group, logger: logger
        ) { request, writer, channel in
            if var quick = shortcut(request.head) {
                quick.headers[.date] = date.now
                if let id = RequestID.accepted(request.headers[.xRequestID]) { quick.headers[.xRequestID] = id }
                try await writer.write(response: quick.head, body: quick.body)
                return
            }
            let started = ContinuousClock.now
            let id = RequestID.accepted(request.headers[.xRequestID]) ?? RequestID.make()
            let context = OmniContext(source: .init(logger: logger, channel: channel, requestID: id, limits: configuration.limits))
            var response: Response
            var lease: KeyLease?
            defer { lease?.end() }
            if request.method == .options, request.uri.path == "*" {
                response = Response(status: .noContent, headers: [.allow: "GET, HEAD, POST, DELETE, OPTIONS"])
            } else {
                switch gate.decide(on: request, isForSocket: self.sockets.serve(path: request.uri.path)) {
                case .answered(let answer): response = answer
                case .passes(let admitted):
                    lease = admitted
                    try await HTTPChannel.inviteBody(request, limit: configuration.limits.maxBodySize, writer: writer)
                    response = await KeyLease.$current.withValue(admitted) {
                        await respond(to: request, context: context, responder: responder)
                    }
                    if let admitted { Self.account(&response, to: admitted) }
                }
            }
            response.headers[.date] = date.now
            if configuration.isPublic {
                response.headers[.xRequestID] = id
                gate.addCORS(to: &response, for: request)
            }
            // A body after HEAD would be read as the next reply.
            if request.method == .head { response = response.createHeadResponse() }
            let status = response.status.code
            do {
                try await writer.write(response: response.head, body: response.body)
                finished(request, context, lease?.key, status: status, started: started)
            } catch {
                // The status has gone out; 499 marks a client that left, as in nginx.
                finished(request, context, lease?.key, status: 499, started: started)
                throw error
            }
        } onServerRunning: { channel in
            await onRunning(channel.localAddress?.port ?? 0)
        }
    }

    /// The rate limits' headers; what the body still does is done for the key.
    private static func account(_ response: inout Response, to lease: KeyLease) {
        AccessGate.add(lease.headers, to: &response)
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            let inner = writer
            try await KeyLease.$current.withValue(lease) { try await body.write(inner) }
        }
    }

    private func respond(to request: Request, context: OmniContext, responder: RouterResponder<OmniContext>) async -> Response {
        do {
            let response = try await responder.respond(to: request, context: context)
            // The router's own reply to a path that it does not know.
            guard response.status == .notFound, response.body.contentLength == 0 else { return response }
            guard sockets.serve(path: request.uri.path) else { throw APIError(.notFound, "There is no path \(request.uri.path) here.") }
            var refusal = Response.error(
                APIError(.upgradeRequired, "This path is a WebSocket.", remedy: "Ask for it as RFC 6455 says, version 13."))
            refusal.headers[.upgrade] = "websocket"
            refusal.headers[.secWebSocketVersion] = "13"
            return refusal
        } catch is CancellationError {
            return .error(APIError(.clientGone, "The client closed the connection."))
        } catch is ConnectionGuard.RequestCutOff {
            return .error(APIError(.clientGone, "The request did not come whole."))
        } catch {
            let (wire, isExpected) = wireError(error, requestID: context.requestID)
            if !isExpected {
                context.requestLogger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            var response = Response.error(wire, as: ErrorShape(path: request.uri.path))
            // What is left of a refused upload is not worth reading to reuse the connection.
            if wire.status == 413 { response.headers[.connection] = "close" }
            return response
        }
    }

    /// The answer to a connection whose request cannot be read, counted and logged.
    private func refusal(_ error: APIError, date: HTTPDate) -> (HTTPResponseHead, ByteBuffer) {
        let body = ByteBuffer(bytes: error.json.jsonBytes)
        var headers: HTTPHeaders = [
            "content-type": "application/json", "content-length": String(body.readableBytes), "connection": "close", "date": date.now,
            "server": Self.serverName,
        ]
        if configuration.isPublic {
            let id = RequestID.make()
            headers.add(name: "x-request-id", value: id)
            metrics.record(method: "unknown", path: "unmatched", status: error.status, seconds: 0)
            logger.info(
                "connection refused",
                metadata: ["request_id": .string(id), "status": .stringConvertible(error.status), "reason": .string(error.message)])
        }
        return (HTTPResponseHead(version: .http1_1, status: .init(statusCode: error.status), headers: headers), body)
    }

    private static let serverName = "swift-omni"

    private func finished(_ request: Request, _ context: OmniContext, _ key: APIKey?, status: Int, started: ContinuousClock.Instant) {
        guard configuration.isPublic else { return }
        let elapsed = ContinuousClock.now - started
        metrics.record(method: request.method.rawValue, path: context.endpointPath ?? "unmatched", status: status, seconds: elapsed.seconds)
        // What balancers and scrapers ask all day is no news.
        let isRoutine = request.uri.path.hasPrefix("/health") || ["/metrics", "/ping", "/load"].contains(request.uri.path)
        var facts: Logger.Metadata = [
            "method": .string(request.method.rawValue), "path": .string(request.uri.path), "status": .stringConvertible(status),
            "ms": .stringConvertible((elapsed.seconds * 10000).rounded() / 10),
        ]
        if let key { facts["key"] = .string(key.name) }
        context.requestLogger.log(level: isRoutine ? .debug : .info, "request", metadata: facts)
    }
}
