import OmniAPI

/// A file of a repository on the Hub, as its tree listing tells.
public struct HubFile: Sendable, Equatable {
    /// Path inside the repository, `/` between folders.
    public var path: String
    /// Bytes.
    public var size: Int64
    /// The file's checksum, in lower-case hex: also its name in the cache's `blobs/`.
    public var checksum: Checksum

    public enum Checksum: Sendable, Equatable {
        /// Large files: SHA-256 of the bytes.
        case sha256(String)
        /// Small files: git's id, SHA-1 of `blob <size>\0` and the bytes.
        case git(String)

        public var hex: String {
            switch self {
            case .sha256(let hex), .git(let hex): hex
            }
        }
    }

    public init(path: String, size: Int64, checksum: Checksum) {
        self.path = path
        self.size = size
        self.checksum = checksum
    }

    /// The last part of the path.
    public var name: String { String(path.split(separator: "/").last ?? "") }
}

extension HubFile {
    /// One entry of a tree listing; nil for a folder. Throws for a path or checksum that would lead out of the cache: what the
    /// Hub says becomes file names here.
    init?(entry: JSONValue) throws(HubError) {
        guard entry["type"]?.stringValue == "file" else { return nil }
        guard let path = entry["path"]?.stringValue, Self.isSafe(path) else {
            throw HubError("The Hub listed a file with an unsafe path (\(entry["path"]?.stringValue ?? "none")).")
        }
        let large = entry["lfs"]?.objectValue
        guard let size = large?["size"]?.intValue ?? entry["size"]?.intValue, size >= 0 else {
            throw HubError("The Hub listed \(path) without its size.")
        }
        let checksum: Checksum
        if let oid = large?["oid"]?.stringValue ?? large?["sha256"]?.stringValue {
            checksum = .sha256(String(oid.trimmingPrefix("sha256:")).lowercased())
            guard Self.isHex(checksum.hex, count: 64) else { throw HubError("The Hub listed \(path) with a malformed SHA-256.") }
        } else {
            checksum = .git(entry["oid"]?.stringValue?.lowercased() ?? "")
            guard Self.isHex(checksum.hex, count: 40) else { throw HubError("The Hub listed \(path) without a checksum.") }
        }
        self.init(path: path, size: Int64(size), checksum: checksum)
    }

    /// Relative, without empty, hidden-parent or control parts.
    static func isSafe(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return path.utf8.count <= 1024
            && parts.allSatisfy { part in
                !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255
                    && part.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
            }
    }

    static func isHex(_ text: String, count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
