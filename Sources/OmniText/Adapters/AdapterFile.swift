/// A low-rank adapter as a GGUF that was checked against the model. What was computed with one is never used with another.
public struct AdapterFile: Sendable, Hashable {
    public let path: String
    /// Another one for what the file held before.
    public let version: String

    public init(path: String, version: String) { (self.path, self.version) = (path, version) }
}
