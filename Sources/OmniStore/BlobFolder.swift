import Foundation
import OmniAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder of files named by ids of ours. A file is whole or not there: it is written under another name, brought to the
/// disk, and renamed.
struct BlobFolder: Sendable {
    let url: URL

    init(_ url: URL) throws {
        self.url = url
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    func path(of id: String) -> String { url.appending(path: id).path }

    /// Blocks on the disk. Throws 507 when it is full.
    func write(_ bytes: [UInt8], id: String) throws { try DurableFile.write(bytes, to: path(of: id)) }

    func remove(_ id: String) { unlink(path(of: id)) }

    /// Removes what no row knows: the leavings of a crash between file and row.
    func removeAll(except ids: Set<String>) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [] where !ids.contains(name) { remove(name) }
    }
}
