import OmniEngine
import Synchronization

/// A lane that remembers when it was last given back: the watchdog's pulse, once for every slice of a graph.
final class HeartbeatLock: ComputeLane {
    private let lane: any ComputeLane
    private let pulse = Mutex<ContinuousClock.Instant?>(nil)

    init(_ lane: any ComputeLane) { self.lane = lane }

    /// Nil while there is no work.
    var stalledFor: Duration? { pulse.withLock { $0?.duration(to: .now) } }

    func begin() { pulse.withLock { $0 = .now } }
    func end() { pulse.withLock { $0 = nil } }

    func acquire() { lane.acquire() }

    func release() {
        lane.release()
        pulse.withLock { if $0 != nil { $0 = .now } }
    }
}
