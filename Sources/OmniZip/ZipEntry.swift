/// An entry of a zip file: where its bytes lie in the file, and how.
public struct ZipEntry: Sendable, Equatable {
    public let name: String
    /// As they lie there.
    public let bytes: Range<Int>
    /// Bytes once undone.
    public let size: Int
    public let isDeflated: Bool
}

/// What is wrong with a zip file, to be said behind its name.
public struct ZipError: Error, Sendable, Equatable {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
}
