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
/// A holder that was stopped, or that hangs, keeps its locks: who has waited for ``longestWait`` computes without the lane, slower but
/// alive, until the locks can be had again.
///
/// Each thread that computes makes its own: locks belong to the open file.
public final class FileLane: ComputeLane {
    private let head: Int32
    private let lane: Int32
    /// The same files, opened once more to look only: a lock taken through `lane` in order to look could not be told from one that another
    /// thread takes through it meanwhile, and giving the one back would give back both.
    private let headProbe: Int32
    private let laneProbe: Int32
    private let queue: LaneQueue
    private let yieldInterval: Duration
    private let longestWait: Duration
    private let isHeld = Atomic<Bool>(false)

    /// Opens, and makes where needed, `<directory>/<device>.head` and `.lane`.
    ///
    /// - Parameter yieldInterval: as long as this others go first, whenever they come: for work that may take its time beside work
    ///   that somebody waits for.
    /// - Parameter longestWait: after this the lane is given up on; far longer than whoever is alive holds it.
    public init(directory: String, device: String, yieldInterval: Duration = .zero, longestWait: Duration = .seconds(10)) throws {
        self.yieldInterval = yieldInterval
        self.longestWait = longestWait
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let files = ["head", "lane", "head", "lane"].map { open("\(directory)/\(device).\($0)", O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        guard files.allSatisfy({ $0 >= 0 }) else {
            let reason = errno
            for file in files where file >= 0 { close(file) }
            throw POSIXError(POSIXErrorCode(rawValue: reason) ?? .EIO)
        }
        (head, lane, headProbe, laneProbe) = (files[0], files[1], files[2], files[3])
        queue = LaneQueue(head: head, lane: lane)
    }

    deinit {
        queue.close()
        for file in [headProbe, laneProbe] { close(file) }
    }

    public func acquire() {
        guard !queue.isAbandoned else { return }
        let isMine = yieldInterval > .zero && acquireWhenIdle() || tryAcquire() || queue.wait(atMost: longestWait)
        isHeld.store(isMine, ordering: .sequentiallyConsistent)
    }

    /// Takes the lane once nobody holds it or waits for it; false when that did not come while yieldInterval lasted.
    private func acquireWhenIdle() -> Bool {
        let end = ContinuousClock.now + yieldInterval
        repeat {
            if Self.tryLock(head, lane) { return true }
            usleep(2000)
        } while ContinuousClock.now < end
        return false
    }

    public func release() {
        if isHeld.exchange(false, ordering: .sequentiallyConsistent) { flock(lane, LOCK_UN) }
    }

    /// False also while it computes without the lane, because a stopped holder was given up on.
    var holdsLane: Bool { isHeld.load(ordering: .sequentiallyConsistent) }

    /// True also where a thread of its own waits for it, or takes or gives it back just now.
    public var isWanted: Bool {
        guard !queue.isAbandoned else { return false }
        guard !isHeld.load(ordering: .sequentiallyConsistent) else {
            guard flock(headProbe, LOCK_EX | LOCK_NB) == 0 else { return true }
            flock(headProbe, LOCK_UN)
            return false
        }
        guard Self.tryLock(headProbe, laneProbe) else { return true }
        flock(laneProbe, LOCK_UN)
        return false
    }

    /// Takes the lane if no other holds it or waits for it.
    private func tryAcquire() -> Bool { Self.tryLock(head, lane) }

    private static func tryLock(_ head: Int32, _ lane: Int32) -> Bool {
        guard flock(head, LOCK_EX | LOCK_NB) == 0 else { return false }
        defer { flock(head, LOCK_UN) }
        return flock(lane, LOCK_EX | LOCK_NB) == 0
    }
}
