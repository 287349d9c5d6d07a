// A stand-in: what OmniClient uses of AsyncHTTPClient.

import NIOCore
import NIOHTTP1

public struct HTTPClientError: Error, Equatable, CustomStringConvertible {
    public var description: String { "" }
    public var shortDescription: String { "" }
    public static let cancelled = Self(), deadlineExceeded = Self(), readTimeout = Self(), writeTimeout = Self(), invalidURL = Self()
    public static let emptyHost = Self(), emptyScheme = Self(), connectTimeout = Self()
    public static let remoteConnectionClosed = Self()
}

@available(macOS 10.15, iOS 13, tvOS 13, watchOS 6, *)
public struct HTTPClientRequest: Sendable {
    public struct Body: Sendable {
        public struct Length: Sendable {
            public static func known(_ length: Int64) -> Self { .init() }
        }

        public static func bytes(_ buffer: ByteBuffer) -> Self { .init() }
        @_disfavoredOverload
        public static func bytes<Bytes: RandomAccessCollection & Sendable>(_ bytes: Bytes) -> Self where Bytes.Element == UInt8 { .init() }
        public static func stream<Buffers: AsyncSequence & Sendable>(_ buffers: Buffers, length: Length) -> Self where Buffers.Element == ByteBuffer { .init() }
    }

    public var url: String
    public var method = HTTPMethod.GET
    public var headers = HTTPHeaders()
    public var body: Body?
    public init(url: String) { self.url = url }
}

@available(macOS 10.15, iOS 13, tvOS 13, watchOS 6, *)
public struct HTTPClientResponse: Sendable {
    public struct Body: AsyncSequence, Sendable {
        public typealias Element = ByteBuffer
        public struct AsyncIterator: AsyncIteratorProtocol {
            public mutating func next() async throws -> ByteBuffer? { nil }
        }
        public func makeAsyncIterator() -> AsyncIterator { .init() }
    }

    public var status: HTTPResponseStatus
    public var headers: HTTPHeaders
    public var body: Body
}

public final class HTTPClient: Sendable {
    public struct Configuration: Sendable {
        public struct Timeout: Sendable {
            public init(connect: TimeAmount? = nil, read: TimeAmount? = nil) {}
        }

        public struct RedirectConfiguration: Sendable {
            public static func follow(max: Int, allowCycles: Bool) -> Self { .init() }
        }

        public struct ConnectionPool: Sendable {
            public var retryConnectionEstablishment = true
            public var concurrentHTTP1ConnectionsPerHostSoftLimit = 8
        }

        public struct Limit: Sendable {
            public static func ratio(_ ratio: Int) -> Self { .init() }
        }

        public enum Decompression: Sendable {
            case disabled
            case enabled(limit: Limit)
        }

        public var timeout = Timeout()
        public var redirectConfiguration = RedirectConfiguration()
        public var connectionPool = ConnectionPool()
        public var decompression = Decompression.disabled
        public init() {}
    }

    public init(eventLoopGroup: any EventLoopGroup, configuration: Configuration = Configuration()) {}

    @available(macOS 10.15, iOS 13, tvOS 13, watchOS 6, *)
    public func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse { fatalError() }
}
