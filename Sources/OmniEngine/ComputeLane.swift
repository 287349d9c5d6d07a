/// The right to compute on a device. Two graphs with all threads each on the same cores run several times slower than one
/// after the other, so every graph runs while its thread holds the device's lane; whoever holds it gives it back after at
/// most about 50 ms.
///
/// Both calls come from the thread that computes, and may block it: never from the cooperative pool.
public protocol ComputeLane: Sendable {
    func acquire()
    func release()
    /// Whether another computes or waits; false where nobody can tell. Who holds the lane may ask, on any thread.
    var isWanted: Bool { get }
}

extension ComputeLane {
    public var isWanted: Bool { false }

    public func hold<Result>(_ body: () throws -> Result) rethrows -> Result {
        acquire()
        defer { release() }
        return try body()
    }
}

/// A lane without competitors: one process alone on its device, and tests.
public struct FreeLane: ComputeLane {
    public init() {}
    public func acquire() {}
    public func release() {}
}
