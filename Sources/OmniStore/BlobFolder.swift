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
    func write(_ bytes: [UInt8], id: String) throws {
        let partial = path(of: id) + ".partial"
        let file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("create", errno) }
        var isWhole = false
        defer {
            close(file)
            if !isWhole { unlink(partial) }
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write", errno) }
            rest = rest.dropFirst(count)
        }
        guard fsync(file) == 0, rename(partial, path(of: id)) == 0 else { throw Self.failure("keep", errno) }
        isWhole = true
        let folder = open(url.path, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    func remove(_ id: String) { unlink(path(of: id)) }

    /// Removes what no row knows: the leavings of a crash between file and row.
    func removeAll(except ids: Set<String>) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [] where !ids.contains(name) { remove(name) }
    }

    private static func failure(_ verb: String, _ code: Int32) -> APIError {
        let reason = String(cString: strerror(code))
        guard [ENOSPC, EDQUOT].contains(code) else { return APIError(.internalError, "The server could not \(verb) a file: \(reason).") }
        return APIError(.insufficientStorage, "The server's disk is full.", remedy: "Free space in its data folder and try again.")
    }
}
