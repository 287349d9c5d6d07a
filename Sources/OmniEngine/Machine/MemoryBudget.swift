import Foundation

/// How much memory this process may use, and how much of it is left: the machine's, or what the control groups that the process is in
/// (a container's, a service's) allow, whichever is less.
public struct MemoryBudget: Sendable, Equatable {
    /// Bytes that may be used in all, by whatever shares the limit with this process.
    public let limit: Int
    /// Bytes that are left, with what the system can take back from its file cache; nil where nobody tells.
    public let available: Int?
    /// The file that holds the limit; nil where the machine's own memory is the limit.
    public let source: String?

    /// As it is now.
    public static var current: MemoryBudget { MemoryBudget() }

    public init(limit: Int, available: Int?, source: String? = nil) {
        self.limit = limit
        self.available = available
        self.source = source
    }

    /// - Parameters:
    ///   - root: stands before the path of every file that is read; empty for the system's own.
    ///   - physical: bytes of memory where `/proc/meminfo` does not tell.
    public init(root: String = "", physical: Int = Int(clamping: ProcessInfo.processInfo.physicalMemory)) {
        let machine = Self.machine("\(root)/proc/meminfo")
        var limit = machine.total ?? physical
        var left = machine.available
        var source: String?
        for chain in ControlGroups(root: root).chains(of: "memory") {
            for folder in chain.folders {
                guard let bound = Self.bound(folder, isUnified: chain.isUnified) else { continue }
                if bound.bytes < limit { (limit, source) = (bound.bytes, String(bound.file.dropFirst(root.count))) }
                if let used = Self.used(folder, isUnified: chain.isUnified) { left = min(left ?? .max, max(0, bound.bytes - used)) }
            }
        }
        (self.limit, self.source) = (limit, source)
        available = left.map { min($0, limit) }
    }

    private static func machine(_ path: String) -> (total: Int?, available: Int?) {
        func bytes(_ name: String) -> Int? {
            let line = ControlGroups.lines(path).first { $0.hasPrefix("\(name):") }
            return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        return (bytes("MemTotal"), bytes("MemAvailable"))
    }

    /// The least limit that a group sets itself. `memory.high` ends nobody, but who exceeds it is slowed until nothing moves.
    private static func bound(_ folder: String, isUnified: Bool) -> (bytes: Int, file: String)? {
        let files = isUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
        let bounds = files.compactMap { name in ControlGroups.number("\(folder)/\(name)").map { (bytes: $0, file: "\(folder)/\(name)") } }
        return bounds.min { $0.bytes < $1.bytes }
    }

    /// What a group holds, without what the system takes back when memory is short: pages of files.
    private static func used(_ folder: String, isUnified: Bool) -> Int? {
        guard let held = ControlGroups.number("\(folder)/\(isUnified ? "memory.current" : "memory.usage_in_bytes")") else { return nil }
        let table = ControlGroups.table("\(folder)/memory.stat")
        let names = isUnified ? ["inactive_file", "active_file", "slab_reclaimable"] : ["total_inactive_file", "total_active_file"]
        return max(0, held - names.reduce(0) { $0 + (table[$1] ?? 0) })
    }
}
