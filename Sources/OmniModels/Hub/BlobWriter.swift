import Crypto
import Foundation
import NIOCore
import OmniAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes one file of the cache as it arrives: to `blobs/<hash>.incomplete`, where it stays when the pull ends early and is
/// taken up by the next. Only a file of the right length and checksum is renamed to `blobs/<hash>`.
///
/// All disk work happens on the writer's own queue. Holds the file's lock, so that two pulls never write to the same file.
///
/// `@unchecked Sendable`: every stored variable is read and written on `queue` only.
final class BlobWriter: @unchecked Sendable {
    private let queue = DispatchQueue(label: "omni.pull.write")
    private let file: HubFile
    private let blob: URL
    private let incomplete: URL
    private var descriptor: Int32
    private var hasher: BlobHasher
    private var offset: Int64 = 0

    /// Opens or makes the incomplete file and reads what it has. Throws ``HubError`` when another pull is at it.
    static func open(_ file: HubFile, in blobs: URL) async throws -> BlobWriter {
        let writer = BlobWriter(file, in: blobs)
        try await writer.perform { try writer.begin() }
        return writer
    }

    private init(_ file: HubFile, in blobs: URL) {
        self.file = file
        blob = blobs.appending(path: file.checksum.hex)
        incomplete = blobs.appending(path: file.checksum.hex + ".incomplete")
        descriptor = -1
        hasher = BlobHasher(file)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Bytes on the disk so far: where the download goes on.
    func written() async throws -> Int64 { try await perform { self.offset } }

    func append(_ buffer: ByteBuffer) async throws {
        try await perform {
            guard self.offset + Int64(buffer.readableBytes) <= self.file.size else {
                try self.restart()
                throw TransientError("more bytes came than the listing says")
            }
            try buffer.withUnsafeReadableBytes { try self.write($0) }
        }
    }

    /// Forgets what was written.
    func reset() async throws { try await perform { try self.restart() } }

    /// Checks length and checksum and gives the file its name. False, with everything forgotten, when the checksum is wrong.
    func finish() async throws -> Bool {
        try await perform {
            guard self.offset == self.file.size else { throw TransientError("the connection ended early") }
            guard self.hasher.matches(self.file.checksum) else {
                try self.restart()
                return false
            }
            guard fsync(self.descriptor) == 0 else { throw self.fault("flush") }
            guard rename(self.incomplete.path, self.blob.path) == 0 else { throw self.fault("rename") }
            return true
        }
    }

    private func perform<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    private func begin() throws {
        descriptor = Self.openFile(incomplete.path)
        guard descriptor >= 0 else { throw fault("open") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw HubError("Another pull is bringing \(file.path) right now.", remedy: "Wait for it to end; then run this again.")
        }
        // What an earlier pull left counts, so it goes into the checksum.
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fault("read") }
            if count == 0 { break }
            chunk.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += Int64(count)
        }
        if offset > file.size { try restart() }
    }

    private static func openFile(_ path: String) -> Int32 { Self.retrying { systemOpen(path) } }

    private static func systemOpen(_ path: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        #elseif canImport(Musl)
            Musl.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        #else
            Darwin.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        #endif
    }

    private static func retrying(_ call: () -> Int32) -> Int32 {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = pwrite(descriptor, base, rest.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fault("write") }
            hasher.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            offset += Int64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func restart() throws {
        guard ftruncate(descriptor, 0) == 0 else { throw fault("truncate") }
        offset = 0
        hasher = BlobHasher(file)
    }

    private func fault(_ action: String) -> HubError {
        let code = errno
        if code == ENOSPC || code == EDQUOT {
            return HubError(
                "The disk is full: \(incomplete.path) has \(byteText(offset)) of \(byteText(file.size)).",
                remedy: "Free some space and run the same command; it goes on from there.")
        }
        return HubError("Could not \(action) \(incomplete.path): \(String(cString: strerror(code))).")
    }
}

/// The checksum of a file while it passes by.
struct BlobHasher {
    private enum State {
        case sha256(SHA256)
        case git(Insecure.SHA1)
    }

    private var state: State

    init(_ file: HubFile) {
        switch file.checksum {
        case .sha256: state = .sha256(SHA256())
        case .git:
            var hash = Insecure.SHA1()
            hash.update(data: Array("blob \(file.size)\0".utf8))
            state = .git(hash)
        }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .sha256(var hash):
            hash.update(bufferPointer: bytes)
            state = .sha256(hash)
        case .git(var hash):
            hash.update(bufferPointer: bytes)
            state = .git(hash)
        }
    }

    func matches(_ checksum: HubFile.Checksum) -> Bool {
        let digest: [UInt8] =
            switch state {
            case .sha256(let hash): Array(hash.finalize())
            case .git(let hash): Array(hash.finalize())
            }
        return digest.hexText == checksum.hex
    }
}
