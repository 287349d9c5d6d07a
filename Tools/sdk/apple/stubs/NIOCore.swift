// A stand-in: what OmniClient uses of NIOCore.

public struct ByteBufferView: RandomAccessCollection, Sendable {
    public var startIndex: Int { 0 }
    public var endIndex: Int { 0 }
    public subscript(position: Int) -> UInt8 { 0 }
}

public struct ByteBuffer: Sendable, Hashable {
    public init() {}
    public init<Bytes: Sequence>(bytes: Bytes) where Bytes.Element == UInt8 {}
    public init(string: String) {}
    public init(substring: Substring) {}
    public var readableBytes: Int { 0 }
    public var readableBytesView: ByteBufferView { .init() }
    @discardableResult
    public mutating func writeWithUnsafeMutableBytes(minimumWritableBytes: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows -> Int { 0 }
}

public struct TimeAmount: Hashable, Sendable {
    public static func nanoseconds(_ amount: Int64) -> TimeAmount { .init() }
    public static func seconds(_ amount: Int64) -> TimeAmount { .init() }
}

public struct IOError: Error {}
public protocol EventLoopGroup: AnyObject, Sendable {}
