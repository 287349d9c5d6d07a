import Foundation

/// How a worker's process came to its end.
public struct WorkerEnd: Sendable, Equatable, CustomStringConvertible {
    public enum Cause: Sendable, Equatable {
        case exit(Int32)
        case signal(Int32)
        /// There never was a process.
        case notStarted(String)
    }

    public let cause: Cause

    public init(_ cause: Cause) { self.cause = cause }

    /// Signals that a process earns by what it computes. SIGKILL and SIGTERM come from others: a system that ran out of memory, a
    /// person.
    private static let ownFaults: [Int32: String] = [
        SIGILL: "SIGILL, an instruction that this CPU does not take", SIGTRAP: "SIGTRAP, a check of its own",
        SIGABRT: "SIGABRT, an assertion",
        SIGFPE: "SIGFPE, bad arithmetic", SIGBUS: "SIGBUS, memory out of reach", SIGSEGV: "SIGSEGV, memory that is not its own",
    ]

    /// Whether its own code is to blame: with plainer kernels it may live.
    public var isOwnFault: Bool {
        if case .signal(let number) = cause { Self.ownFaults[number] != nil } else { false }
    }

    public var description: String {
        switch cause {
        case .exit(let code): "exit status \(code)"
        case .signal(let number): Self.ownFaults[number] ?? "signal \(number)"
        case .notStarted(let reason): "a start that failed: \(reason)"
        }
    }
}
