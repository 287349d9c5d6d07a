/// The lanes of several devices as one: a model that is spread over them computes while it holds all.
///
/// Whoever joins lanes names them in the same order, so that no two wait for each other.
public struct JoinedLane: ComputeLane {
    private let lanes: [any ComputeLane]

    public init(_ lanes: [any ComputeLane]) { self.lanes = lanes }

    public func acquire() { lanes.forEach { $0.acquire() } }
    public func release() { lanes.reversed().forEach { $0.release() } }
    public var isWanted: Bool { lanes.contains { $0.isWanted } }
}
