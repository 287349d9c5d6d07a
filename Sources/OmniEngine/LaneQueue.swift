import Dispatch
import Foundation
import Synchronization

/// Waits for a lane's two locks on a thread of its own. A system call that waits for a lock cannot be given up, and whoever has the
/// lock may be a process that was stopped, of another server even: the thread goes on waiting then, and its owner computes without.
final class LaneQueue: Sendable {
    private enum State {
        /// Nobody waits.
        case idle
        /// The thread waits, and its owner for it.
        case waiting
        /// The lane is the owner's, who has not noticed yet.
        case granted
        /// The thread waits; its owner has given up.
        case abandoned
        case closed
    }

    private let head: Int32
    private let lane: Int32
    private let state = Mutex(State.idle)
    private let asked = DispatchSemaphore(value: 0)
    private let granted = DispatchSemaphore(value: 0)
    private let isStarted = Atomic<Bool>(false)

    /// Takes over both files, and closes them after ``close()``.
    init(head: Int32, lane: Int32) {
        self.head = head
        self.lane = lane
    }

    /// A wait that was given up is not over yet: the locks must not be touched.
    var isAbandoned: Bool { state.withLock { $0 == .abandoned } }

    /// Takes the lane after those who stand in the queue already. False when that took longer than `limit`, and while it goes on.
    func wait(atMost limit: Duration) -> Bool {
        let mayAsk = state.withLock { state in
            guard state == .idle else { return false }
            state = .waiting
            return true
        }
        guard mayAsk else { return false }
        start()
        asked.signal()
        let isInTime = granted.wait(timeout: .now() + limit.seconds) == .success
        let isGranted = state.withLock { state in
            let isGranted = state == .granted
            state = isGranted ? .idle : .abandoned
            return isGranted
        }
        // It came between the end of the wait and the look at it: its signal is taken too.
        if isGranted, !isInTime { granted.wait() }
        return isGranted
    }

    /// Ends the thread as soon as it does not wait.
    func close() {
        let hasThread = isStarted.load(ordering: .sequentiallyConsistent)
        state.withLock { $0 = .closed }
        if hasThread { asked.signal() } else { closeFiles() }
    }

    private func start() {
        guard !isStarted.exchange(true, ordering: .sequentiallyConsistent) else { return }
        let thread = Thread { [self] in run() }
        thread.name = "omni-lane"
        thread.stackSize = 128 << 10
        thread.start()
    }

    private func run() {
        while true {
            asked.wait()
            if state.withLock({ $0 == .closed }) { return closeFiles() }
            Self.lock(head)
            Self.lock(lane)
            flock(head, LOCK_UN)
            let next = state.withLock { state in
                switch state {
                case .waiting: state = .granted
                case .abandoned: state = .idle
                case .closed, .idle, .granted: break
                }
                // Whoever gave up must not use the files before they are as they were.
                if state != .granted { flock(lane, LOCK_UN) }
                return state
            }
            if next == .granted { granted.signal() }
        }
    }

    private func closeFiles() {
        Foundation.close(head)
        Foundation.close(lane)
    }

    private static func lock(_ file: Int32) {
        while flock(file, LOCK_EX) != 0, errno == EINTR {}
    }
}
