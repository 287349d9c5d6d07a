// A stand-in: what OmniClient uses of NIOPosix.

import NIOCore

public struct NIOConnectionError: Error {}

public final class MultiThreadedEventLoopGroup: EventLoopGroup, Sendable {
    public static var singleton: MultiThreadedEventLoopGroup { fatalError() }
}

public final class NIOThreadPool: Sendable {
    public static var singleton: NIOThreadPool { fatalError() }
    @available(macOS 10.15, iOS 13, tvOS 13, watchOS 6, *)
    public func runIfActive<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result { try body() }
}
