import OmniEngine
import Synchronization

/// Keeps how long each slice held the lane, milliseconds, and the most memory at the end of one.
public final class StopwatchLane: ComputeLane {
    private let state = Mutex<(start: ContinuousClock.Instant, cpu: Double, slices: [(wall: Double, cpu: Double)], peak: Int)>(
        (.now, 0, [], 0))
    public var peak: Int { state.withLock { $0.peak } }
    public var slices: [(wall: Double, cpu: Double)] { state.withLock { $0.slices } }

    public init() {}

    public func acquire() { state.withLock { ($0.start, $0.cpu) = (.now, Processor.seconds) } }

    public func release() {
        state.withLock { state in
            state.slices.append((state.start.duration(to: .now) / .milliseconds(1), (Processor.seconds - state.cpu) * 1000))
            state.peak = max(state.peak, Memory.owned)
        }
    }
}
