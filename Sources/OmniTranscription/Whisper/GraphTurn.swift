import CWhisper
import OmniEngine
import Synchronization

/// Stands between two nodes of a graph: gives the lane to whoever waits for it, and ends a graph that nobody wants any more.
///
/// ggml asks ``shouldEnd()`` on the thread that computes, while the others of its team wait.
// @unchecked: all but `sign` and `isClosing` is touched only by the thread that computes.
final class GraphTurn: @unchecked Sendable {
    private var lane: SlicedLane
    private var owners: [CancellationToken] = []
    /// When the work last gave a sign of life; nil when there is none.
    private let sign = Mutex<ContinuousClock.Instant?>(nil)
    private let isClosing = Atomic<Bool>(false)
    /// Windows that the model has begun in this call; only one is wanted.
    private var windows = 0

    init(lane: any ComputeLane, slice: Duration = .milliseconds(40)) { self.lane = SlicedLane(lane, slice: slice) }

    var stalledFor: Duration? { sign.withLock { $0.map { .now - $0 } } }

    /// Every graph ends from now on.
    func close() { isClosing.store(true, ordering: .relaxed) }

    /// Something is to be done, or all is done.
    func setBusy(_ isBusy: Bool) { sign.withLock { $0 = isBusy ? .now : nil } }

    /// Computes while holding the lane. Throws `CancellationError` when one of `owners` was cancelled meanwhile.
    func run<Result>(for owners: [CancellationToken], _ body: () throws -> Result) throws -> Result {
        (self.owners, windows) = (owners, 0)
        lane.acquire()
        defer {
            lane.release()
            self.owners = []
        }
        let result = try body()
        try check()
        return result
    }

    func check() throws { if isGivenUp { throw CancellationError() } }

    private var isGivenUp: Bool { isClosing.load(ordering: .relaxed) || owners.contains(where: \.isCancelled) }

    private func shouldEnd() -> Bool {
        if isGivenUp { return true }
        if lane.giveTurn() { sign.withLock { if $0 != nil { $0 = .now } } }
        return isGivenUp
    }

    /// What C is given; whoever does keeps this object alive.
    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let abort: @convention(c) (UnsafeMutableRawPointer?) -> Bool = { data in
        guard let data else { return false }
        return Unmanaged<GraphTurn>.fromOpaque(data).takeUnretainedValue().shouldEnd()
    }

    /// Lets the model look at one window: where the next begins is not its business.
    static let beginsWindow: @convention(c) (OpaquePointer?, OpaquePointer?, UnsafeMutableRawPointer?) -> Bool = { _, _, data in
        guard let data else { return true }
        let turn = Unmanaged<GraphTurn>.fromOpaque(data).takeUnretainedValue()
        turn.windows += 1
        return turn.windows == 1
    }
}
