import NIOHTTP1
import OmniAPI

/// Why a connection ends without its request having reached a route.
enum Refusal: Sendable, Equatable {
    /// What came is no HTTP/1; the text says what is wrong with it.
    case malformed(String)
    case headTooLarge
    /// What did not come in time.
    case late(Part)

    enum Part: String, Sendable { case firstByte, head, body }

    /// - Parameter first: the connection's first byte, by which other protocols are told.
    init(_ error: any Error, first: UInt8?) {
        switch error as? HTTPParserError {
        case .headerOverflow?: self = .headTooLarge
        case .invalidVersion?: self = .malformed("its version is not HTTP/1.0 or HTTP/1.1")
        case .invalidMethod? where first == 0x16: self = .malformed("it begins like TLS, and this port speaks HTTP without it")
        case .invalidMethod?: self = .malformed("it does not begin with a method")
        case .invalidURL?: self = .malformed("its path cannot be read")
        case .invalidHeaderToken?, .lfExpected?, .invalidConstant?, .invalidInternalState?:
            self = .malformed("a line of its head cannot be read")
        case .unexpectedContentLength?, .invalidContentLength?:
            self = .malformed("its Content-Length cannot be read, or stands beside a Transfer-Encoding")
        case .invalidChunkSize?: self = .malformed("the size of a chunk cannot be read")
        case .invalidEOFState?: self = .malformed("it ends in its middle")
        default: self = .malformed("it cannot be read")
        }
    }

    func error(_ limits: ConnectionLimits) -> APIError {
        switch self {
        case .malformed(let reason): APIError(.badRequest, "This is no HTTP/1.1 request: \(reason).", remedy: "The connection is closed.")
        case .headTooLarge:
            APIError(
                .headTooLarge, "The request's head has more than \(limits.headBytes) bytes or \(limits.headFields) fields.",
                remedy: "Send less of it, or start the server with higher --h11-max-incomplete-event-size and --h11-max-header-count.")
        case .late(.firstByte):
            APIError(
                .requestTimeout, "No request came in time.",
                remedy: "The connection is closed; --timeout-first-byte says how long it may be silent.")
        case .late(.head):
            APIError(
                .requestTimeout, "The request's head did not come whole in time.",
                remedy: "--timeout-request-head says how long it may take.")
        case .late(.body):
            APIError(
                .requestTimeout, "The request's body did not come in time.",
                remedy: "Fewer than \(ConnectionLimits.leastBodyBytes) bytes of it came within the time that --timeout-request-body gives.")
        }
    }
}
