import Foundation

/// How many threads find a core to compute on.
public struct Processors: Sendable, Equatable {
    /// Numbers of the cores that this process may run on: those that are online, of its affinity and its cpuset.
    public let cores: Set<Int>
    /// Cores' worth of time that the control groups of this process allow, such as 0.5 for half a core; nil where they allow all.
    public let quota: Double?

    /// Threads that a computation is best given. A part of a core counts as one from a half on: threads that have used up their
    /// share stand still together until the next period, so more of them than the share pays for only wait longer.
    public var threads: Int {
        guard let quota else { return cores.count }
        return min(cores.count, max(1, Int(quota.rounded())))
    }

    public static var current: Processors { Processors() }

    /// - Parameters:
    ///   - root: stands before the path of every file that is read; empty for the system's own.
    ///   - count: cores where no file tells.
    public init(root: String = "", count: Int = ProcessInfo.processInfo.activeProcessorCount) {
        let allowed =
            ControlGroups.lines("\(root)/proc/self/status").first { $0.hasPrefix("Cpus_allowed_list:") }
            .flatMap { $0.split(separator: "\t").last }.map(Self.set) ?? []
        let online = ControlGroups.lines("\(root)/sys/devices/system/cpu/online").first.map(Self.set) ?? []
        let both = online.isEmpty ? allowed : allowed.intersection(online)
        cores = both.isEmpty ? Set(0..<max(1, count)) : both
        var least = Double.infinity
        for chain in ControlGroups(root: root).chains(of: "cpu") {
            for folder in chain.folders { least = min(least, Self.share(folder, isUnified: chain.isUnified) ?? .infinity) }
        }
        quota = least < Double(cores.count) ? least : nil
    }

    /// Cores' worth of time that one group allows itself; nil where that has no limit.
    private static func share(_ folder: String, isUnified: Bool) -> Double? {
        let time: Int?, period: Int?
        if isUnified {
            let words = ControlGroups.numbers("\(folder)/cpu.max") ?? []
            (time, period) = (words.first ?? nil, words.count > 1 ? words[1] : 100_000)
        } else {
            (time, period) = (ControlGroups.number("\(folder)/cpu.cfs_quota_us"), ControlGroups.number("\(folder)/cpu.cfs_period_us"))
        }
        guard let time, let period, time > 0, period > 0 else { return nil }
        return Double(time) / Double(period)
    }

    /// Numbers as the kernel lists them: `0-3,8`.
    private static func set(_ list: Substring) -> Set<Int> {
        list.split(separator: ",").reduce(into: []) { set, range in
            let ends = range.split(separator: "-").compactMap { Int($0.filter(\.isNumber)) }
            guard let first = ends.first, let last = ends.last, (first...max(first, last)).count <= 1 << 16 else { return }
            set.formUnion(first...max(first, last))
        }
    }
}
