import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One process at a time is past ``init(_:)`` with the same file; the others wait. A process that dies lets go.
struct FolderLock {
    private let descriptor: Int32

    init(_ file: URL) throws(SetupError) {
        descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SetupError("Could not open \(file.path): \(String(cString: strerror(errno))).") }
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
    }

    func release() { close(descriptor) }
}
