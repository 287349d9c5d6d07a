/// A lane as a graph holds it: given back for a moment whenever it was held for a slice, so that others have their turn.
///
/// Used by the one thread that computes.
package struct SlicedLane {
    private let lane: any ComputeLane
    /// Longest time the lane is held in one go.
    private let slice: Duration
    private var heldSince: ContinuousClock.Instant?

    package init(_ lane: any ComputeLane, slice: Duration) { (self.lane, self.slice) = (lane, slice) }

    package mutating func acquire() {
        lane.acquire()
        heldSince = .now
    }

    package mutating func release() {
        heldSince = nil
        lane.release()
    }

    /// Between two nodes of a graph: lets others go first where it is time. Whether it did.
    @discardableResult
    package mutating func giveTurn() -> Bool {
        guard let since = heldSince, .now - since > slice else { return false }
        lane.release()
        acquire()
        return true
    }
}
