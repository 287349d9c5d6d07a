import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A GGUF while it is written: under another name, which is taken away when it is whole and removed when it will never be.
///
/// One process writes a file at a time; a second one waits.
final class GGUFFile: Sendable {
    let path: String
    private let temporary: String
    private let descriptor: Int32
    private let isDone = Atomic<Bool>(false)

    /// Opens `path` with `.incomplete` behind it, empties what an earlier try left there, and locks it. Blocks while another process has it.
    init(path: String) throws(ConversionError) {
        self.path = path
        temporary = path + ".incomplete"
        var locked: Int32 = -1
        while locked < 0 {
            let opened = open(temporary, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard opened >= 0, flock(opened, LOCK_EX) == 0 else {
                let reason = String(cString: strerror(errno))
                if opened >= 0 { close(opened) }
                throw ConversionError(.disk, temporary, "It cannot be written: \(reason).")
            }
            // Who had the lock before may have renamed or removed what was opened here.
            var (mine, there) = (stat(), stat())
            if fstat(opened, &mine) == 0, lstat(temporary, &there) == 0, mine.st_ino == there.st_ino {
                locked = opened
            } else {
                close(opened)
            }
        }
        descriptor = locked
        ftruncate(descriptor, 0)
    }

    deinit {
        if !isDone.load(ordering: .acquiring) { unlink(temporary) }
        close(descriptor)
    }

    func write<Number: BitwiseCopyable>(_ values: [Number], at offset: Int) throws(ConversionError) {
        let fault = values.withUnsafeBytes { bytes -> ConversionError? in
            do throws(ConversionError) { try write(bytes, at: offset) } catch { return error }
            return nil
        }
        if let fault { throw fault }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ConversionError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw ConversionError(
                    .disk, temporary, errno == ENOSPC ? "The disk is full." : "It cannot be written: \(String(cString: strerror(errno))).")
            }
            done += count
        }
    }

    /// Makes the file `size` bytes long.
    func extend(to size: Int) throws(ConversionError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else {
            throw ConversionError(.disk, temporary, "It cannot be written: \(String(cString: strerror(errno))).")
        }
    }

    /// Brings everything onto the disk and gives the file its name.
    func finish() throws(ConversionError) {
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw ConversionError(.disk, temporary, "It cannot be finished: \(String(cString: strerror(errno))).")
        }
        isDone.store(true, ordering: .releasing)
    }

    /// Where it is written meanwhile.
    var temporaryPath: String { temporary }

    /// Bytes free for a user on the disk of `folder`; nil where the system does not say.
    static func freeSpace(_ folder: String) -> Int? {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return nil }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }
}
