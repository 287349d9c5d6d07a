import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A lane shared between processes through two locked files. The kernel frees the locks of a process that dies.
///
/// One file is the lane, the other the head of the queue: a thread takes the head, waits for the lane, then frees the head.
/// Whoever gives the lane back and wants it again must first get the head, which the next waiter already holds, so that the
/// waiter goes first.
///
/// Each thread that computes makes its own: locks belong to the open file.
public final class FileLane: ComputeLane {
    private let head: Int32
    private let lane: Int32
    private let patience: Duration
    private let isHeld = Atomic<Bool>(false)

    /// Opens, and makes where needed, `<directory>/<device>.head` and `.lane`.
    ///
    /// - Parameter patience: as long as this others go first, whenever they come: for work that may take its time beside work
    ///   that somebody waits for.
    public init(directory: String, device: String, patience: Duration = .zero) throws {
        self.patience = patience
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        head = open("\(directory)/\(device).head", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard head >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        lane = open("\(directory)/\(device).lane", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lane >= 0 else {
            close(head)
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    deinit {
        close(head)
        close(lane)
    }

    public func acquire() {
        defer { isHeld.store(true, ordering: .sequentiallyConsistent) }
        if patience > .zero, acquireWhenIdle() { return }
        Self.lock(head)
        Self.lock(lane)
        flock(head, LOCK_UN)
    }

    /// Takes the lane once nobody holds it or waits for it; false when that did not come while patience lasted.
    private func acquireWhenIdle() -> Bool {
        let end = ContinuousClock.now + patience
        repeat {
            if tryAcquire() { return true }
            usleep(2000)
        } while ContinuousClock.now < end
        return false
    }

    public func release() {
        isHeld.store(false, ordering: .sequentiallyConsistent)
        flock(lane, LOCK_UN)
    }

    public var isWanted: Bool {
        let isFree = tryAcquire()
        // Who holds the lane gets it once more, and keeps it.
        if isFree, !isHeld.load(ordering: .sequentiallyConsistent) { flock(lane, LOCK_UN) }
        return !isFree
    }

    /// Takes the lane if no other holds it or waits for it.
    private func tryAcquire() -> Bool {
        guard flock(head, LOCK_EX | LOCK_NB) == 0 else { return false }
        defer { flock(head, LOCK_UN) }
        return flock(lane, LOCK_EX | LOCK_NB) == 0
    }

    private static func lock(_ file: Int32) {
        while flock(file, LOCK_EX) != 0, errno == EINTR {}
    }
}
