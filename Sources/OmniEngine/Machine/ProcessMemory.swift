import Foundation

/// What this process holds in memory now.
public struct ProcessMemory: Sendable, Equatable {
    /// Bytes in memory, pages of mapped files among them.
    public let resident: Int
    /// Bytes of mapped files, which the system can drop and read again.
    public let mapped: Int

    /// Nil where the system does not tell.
    public static var current: ProcessMemory? { ProcessMemory() }

    /// - Parameter root: stands before the path of the file that is read; empty for the system's own.
    public init?(root: String = "") {
        let lines = ControlGroups.lines("\(root)/proc/self/status")
        func bytes(_ name: String) -> Int? {
            let line = lines.first { $0.hasPrefix("\(name):") }
            return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        guard let resident = bytes("VmRSS") else { return nil }
        self.resident = resident
        mapped = (bytes("RssFile") ?? 0) + (bytes("RssShmem") ?? 0)
    }
}

/// What a loaded model has set aside, bytes. Pages of it are taken as they are used, so that less may be in memory.
public struct MemoryReservation: Sendable, Equatable {
    public var weights: Int
    /// Keys and values, and the states of recurrent models.
    public var cache: Int
    /// What a step computes with.
    public var compute: Int

    public init(weights: Int = 0, cache: Int = 0, compute: Int = 0) {
        self.weights = weights
        self.cache = cache
        self.compute = compute
    }

    public var total: Int { weights + cache + compute }

    public static func + (left: MemoryReservation, right: MemoryReservation) -> MemoryReservation {
        MemoryReservation(weights: left.weights + right.weights, cache: left.cache + right.cache, compute: left.compute + right.compute)
    }
}

extension MetricsRegistry.Family {
    /// As Prometheus' own clients call it, and so vLLM.
    public static let residentMemory = gauge("process_resident_memory_bytes", "Memory that a process holds; of a worker with its model.")
    public static let reservedMemory = gauge(
        "omni:memory_reserved_bytes", "Memory set aside for a model, by use; its pages are taken as they are used.")
    public static let memoryLimit = gauge(
        "omni:memory_limit_bytes", "Memory that the server may use: the machine's, or its control group's.")
    public static let memoryAvailable = gauge("omni:memory_available_bytes", "What is left of it.")
}

extension MetricsRegistry {
    /// What a model has reserved, and what its process holds.
    public func report(_ reservation: MemoryReservation, modelName: String) {
        for (kind, bytes) in [("weights", reservation.weights), ("kv_cache", reservation.cache), ("compute", reservation.compute)]
        where bytes > 0 {
            set(.reservedMemory, Double(bytes), labels: ["model_name": modelName, "kind": kind])
        }
        if let memory = ProcessMemory.current { set(.residentMemory, Double(memory.resident), labels: ["model_name": modelName]) }
    }

    /// What this process holds, and what memory there is.
    public func reportMachine() {
        if let memory = ProcessMemory.current { set(.residentMemory, Double(memory.resident)) }
        let budget = MemoryBudget.current
        set(.memoryLimit, Double(budget.limit))
        if let available = budget.available { set(.memoryAvailable, Double(available)) }
    }
}
