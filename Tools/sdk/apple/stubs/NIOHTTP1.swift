// A stand-in: what OmniClient uses of NIOHTTP1.

public enum HTTPMethod: RawRepresentable, Sendable, Equatable {
    case GET, POST
    case RAW(value: String)
    public var rawValue: String { "" }
    public init(rawValue: String) { self = .GET }
}

public struct HTTPHeaders: Sendable {
    public init() {}
    public func first(name: String) -> String? { nil }
    public mutating func add(name: String, value: String) {}
    public mutating func replaceOrAdd(name: String, value: String) {}
}

public struct HTTPResponseStatus: Sendable {
    public var code: UInt { 0 }
}
