import OmniEngine
import Synchronization

/// What a talker has done and is doing.
public struct TalkerStatistics: Sendable, Equatable {
    /// Answers that are spoken, and ones that wait for their turn.
    public var running = 0
    public var waiting = 0
    /// Answers whose codes become sound.
    public var decoding = 0
    public var codes = 0
    /// Spent in the talker's network.
    public var seconds = 0.0

    public init() {}
}

/// Keeps a ``TalkerStatistics`` while the talker's thread works and others read.
final class TalkerMeter: Sendable {
    private let state = Mutex(TalkerStatistics())
    private let memory = Mutex(MemoryReservation())

    var statistics: TalkerStatistics { state.withLock { $0 } }

    var reservation: MemoryReservation { memory.withLock { $0 } }
    func note(_ reservation: MemoryReservation) { memory.withLock { $0 = reservation } }

    func note(running: Int, waiting: Int) { state.withLock { ($0.running, $0.waiting) = (running, waiting) } }
    func addCode() { state.withLock { $0.codes += 1 } }
    func addSeconds(_ seconds: Double) { state.withLock { $0.seconds += seconds } }
    func beginDecoding() { state.withLock { $0.decoding += 1 } }
    func endDecoding() { state.withLock { $0.decoding -= 1 } }
}
