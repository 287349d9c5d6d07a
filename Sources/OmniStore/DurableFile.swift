import Foundation
import OmniAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that is whole or not there: written under another name, brought to the disk, and renamed. All calls block on the disk
/// and throw 507 when it is full.
public enum DurableFile {
    /// Writes `bytes` to `path`.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try bytes.withUnsafeBytes { try write([$0], to: path) }
    }

    /// Writes the pieces, one after the other, to `path`.
    public static func write(_ pieces: [UnsafeRawBufferPointer], to path: String) throws {
        let partial = path + ".partial"
        let file = try create(partial)
        var isWhole = false
        defer {
            close(file)
            if !isWhole { unlink(partial) }
        }
        for piece in pieces { try append(piece, to: file) }
        guard fsync(file) == 0 else { throw failure("keep", errno) }
        try rename(partial, to: path)
        isWhole = true
    }

    /// Brings a file that somebody has written to the disk and gives it its name.
    public static func publish(_ partial: String, as path: String) throws {
        let file = open(partial, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { throw failure("open", errno) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failure("keep", errno) }
        try rename(partial, to: path)
    }

    /// Makes an empty file for this user alone.
    public static func create(_ path: String) throws -> Int32 {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("create", errno) }
        return file
    }

    public static func append(_ bytes: UnsafeRawBufferPointer, to file: Int32) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(file, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private static func rename(_ from: String, to path: String) throws {
        #if canImport(Glibc)
            let code = Glibc.rename(from, path)
        #else
            let code = Darwin.rename(from, path)
        #endif
        guard code == 0 else { throw failure("keep", errno) }
        syncFolder(of: path)
    }

    /// A new name is safe once its folder is.
    static func syncFolder(of path: String) {
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    static func failure(_ verb: String, _ code: Int32) -> APIError {
        let reason = String(cString: strerror(code))
        guard [ENOSPC, EDQUOT, EFBIG].contains(code) else {
            return APIError(.internalError, "The server could not \(verb) a file: \(reason).")
        }
        return APIError(.insufficientStorage, "The server's disk is full.", remedy: "Free space in its data folder and try again.")
    }
}
