import NIOCore
import NIOHTTP1

/// How long a connection may keep the server waiting, and how large the head of a request may be. A limit of nil is none.
///
/// While the server computes an answer, or sends one that is taken off its hands, no limit runs: a stream may be silent for hours.
public struct ConnectionLimits: Sendable {
    /// From the connection to its first byte; `--timeout-first-byte`.
    public var firstByte: TimeAmount?
    /// From the first byte of a request to the end of its head; `--timeout-request-head`.
    public var head: TimeAmount?
    /// In which each ``leastBodyBytes`` of a body must come; `--timeout-request-body`.
    public var body: TimeAmount?
    /// From the end of an answer to the first byte of the next request; `--timeout-keep-alive`.
    public var keepAlive: TimeAmount?
    /// Without a byte of an answer being taken by the client; `--timeout-response-write`.
    public var write: TimeAmount?
    /// Bytes of a request's head; `--h11-max-incomplete-event-size`.
    public var headBytes = 80 << 10
    /// Fields of a request's head; `--h11-max-header-count`.
    public var headFields = 256

    /// Below any line that people still have, and above what a client that only means to hold a connection would send.
    static let leastBodyBytes = 512
    /// After the last answer: how long the client is listened to, so that what it still sends does not make the kernel throw
    /// the answer away unread.
    static let linger = (silence: TimeAmount.seconds(5), whole: TimeAmount.seconds(30))

    /// The defaults of `omni serve`: none that a slow and honest client would pass.
    public init(
        firstByte: TimeAmount? = .seconds(60), head: TimeAmount? = .seconds(60), body: TimeAmount? = .seconds(60),
        keepAlive: TimeAmount? = .seconds(120),
        write: TimeAmount? = .seconds(300)
    ) {
        (self.firstByte, self.head, self.body, self.keepAlive, self.write) = (firstByte, head, body, keepAlive, write)
    }

    /// For sockets on which only our own processes speak.
    public static let none = ConnectionLimits(firstByte: nil, head: nil, body: nil, keepAlive: nil, write: nil)
}

extension ConnectionLimits {
    var forDecoder: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        (limits.maxHeaderFieldSize, limits.maxHeaderListSize, limits.maxHeaderFieldCount) = (headBytes, headBytes, headFields)
        return limits
    }
}
