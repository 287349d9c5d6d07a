// A stand-in: what OmniClient and OmniAPI use of Foundation on Apple's systems, and of the C library that it brings, with the
// signatures, the availability and the Sendable-ness that these have there.

public func memcmp(_ one: UnsafeRawPointer!, _ other: UnsafeRawPointer!, _ count: Int) -> Int32 { 0 }
public func rename(_ old: UnsafePointer<CChar>!, _ new: UnsafePointer<CChar>!) -> Int32 { 0 }
public func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer!, _ count: Int) -> Int { 0 }
public func strerror(_ number: Int32) -> UnsafeMutablePointer<CChar>! { nil }
public func exit(_ code: Int32) -> Never { fatalError() }
public struct FILE {}
@discardableResult
public func fflush(_ file: UnsafeMutablePointer<FILE>!) -> Int32 { 0 }
public var errno: Int32 { get { 0 } set {} }
public var EINTR: Int32 { 4 }
public typealias TimeInterval = Double

open class NSObject {
    public init() {}
}

public struct Data: RandomAccessCollection, MutableCollection, RangeReplaceableCollection, Hashable, Sendable {
    public struct ReadingOptions: OptionSet, Sendable {
        public var rawValue: UInt
        public init(rawValue: UInt) { self.rawValue = rawValue }
    }

    public typealias WritingOptions = ReadingOptions
    public typealias Base64DecodingOptions = ReadingOptions
    public typealias Base64EncodingOptions = ReadingOptions
    public typealias Index = Int
    public typealias Indices = Range<Int>

    private var bytes: [UInt8] = []
    public init() {}
    public init<Bytes: Sequence>(_ bytes: Bytes) where Bytes.Element == UInt8 { self.bytes = Array(bytes) }
    public init(contentsOf url: URL, options: ReadingOptions = []) throws {}
    public init?(base64Encoded text: String, options: Base64DecodingOptions = []) {}
    public func base64EncodedString(options: Base64EncodingOptions = []) -> String { "" }
    public func write(to url: URL, options: WritingOptions = []) throws {}
    public var startIndex: Int { 0 }
    public var endIndex: Int { bytes.count }
    public subscript(position: Int) -> UInt8 { get { bytes[position] } set { bytes[position] = newValue } }
    public subscript(range: Range<Int>) -> Data { get { Data(bytes[range]) } set {} }
    public mutating func replaceSubrange<Bytes: Collection>(_ range: Range<Int>, with bytes: Bytes) where Bytes.Element == UInt8 {}
}

public protocol DataProtocol: RandomAccessCollection where Element == UInt8 {}
extension Data: DataProtocol {}

public struct Date: Hashable, Sendable {
    public init() {}
    public func timeIntervalSince(_ other: Date) -> TimeInterval { 0 }
}

public struct Locale: Hashable, Sendable {
    public init(identifier: String) {}
}

public struct TimeZone: Hashable, Sendable {
    public init?(identifier: String) {}
}

public struct UUID: Hashable, Sendable {
    public init() {}
    public var uuidString: String { "" }
}

public struct URL: Hashable, Sendable {
    public init(fileURLWithPath path: String) {}
    public init?(string: String) {}
    public var path: String { "" }
    public var lastPathComponent: String { "" }
    public var pathExtension: String { "" }
    public func deletingLastPathComponent() -> URL { self }
    public func appendingPathComponent(_ component: String) -> URL { self }
    public func resolvingSymlinksInPath() -> URL { self }
}

public struct CharacterSet: Hashable, Sendable {
    public init(charactersIn text: String) {}
    public static var whitespacesAndNewlines: CharacterSet { .init(charactersIn: "") }
}

open class Formatter: NSObject {}

open class DateFormatter: Formatter {
    open var locale: Locale! = nil
    open var timeZone: TimeZone! = nil
    open var dateFormat: String! = nil
    open func date(from text: String) -> Date? { nil }
}

open class FileHandle: NSObject, @unchecked Sendable {
    public convenience init(forReadingFrom url: URL) throws { self.init() }
    public convenience init(forWritingTo url: URL) throws { self.init() }
    open var fileDescriptor: Int32 { 0 }
    @available(macOS 10.15.4, iOS 13.4, tvOS 13.4, *)
    public func write<Bytes: DataProtocol>(contentsOf bytes: Bytes) throws {}
    @available(macOS 10.15, iOS 13, tvOS 13, *)
    open func close() throws {}
}

public struct FileAttributeKey: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public static let size = FileAttributeKey(rawValue: "NSFileSize")
}

open class FileManager: NSObject {
    open class var `default`: FileManager { FileManager() }
    @discardableResult
    open func createFile(atPath path: String, contents: Data?, attributes: [FileAttributeKey: Any]? = nil) -> Bool { true }
    open func removeItem(at url: URL) throws {}
    open func attributesOfItem(atPath path: String) throws -> [FileAttributeKey: Any] { [:] }
}

open class ProcessInfo: NSObject, @unchecked Sendable {
    open class var processInfo: ProcessInfo { ProcessInfo() }
    open var environment: [String: String] { [:] }
}

extension Error {
    public var localizedDescription: String { "" }
}

extension StringProtocol {
    public func trimmingCharacters(in characters: CharacterSet) -> String { "" }
    public func addingPercentEncoding(withAllowedCharacters characters: CharacterSet) -> String? { nil }
}
