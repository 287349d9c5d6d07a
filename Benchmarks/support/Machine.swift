import Foundation

/// Processor time of all threads, seconds.
public enum Processor {
    public static var seconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }
}

/// What Linux says of this process, bytes.
public enum Memory {
    public static var resident: Int { field("VmRSS:") }
    public static var peak: Int { field("VmHWM:") }
    /// Without the pages of files, which the kernel maps in larger pieces than are read.
    public static var owned: Int { field("RssAnon:") }

    private static func field(_ name: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
}

/// A benchmark's command line: options with a value, switches, and one argument that is neither.
public struct BenchmarkArguments {
    private var words = Array(CommandLine.arguments.dropFirst())

    public init() {}

    /// The value after `name`, which is taken out.
    public mutating func text(_ name: String) -> String? {
        guard let place = words.firstIndex(of: name), place + 1 < words.count else { return nil }
        defer { words.removeSubrange(place...place + 1) }
        return words[place + 1]
    }

    public mutating func number(_ name: String) -> Int? { text(name).flatMap { Int($0) } }

    public func has(_ name: String) -> Bool { words.contains(name) }

    /// The first that is no option; options with values have to be taken out before.
    public var argument: String? { words.first { !$0.hasPrefix("--") } }
}

/// Prints a report as one line of JSON, its names in order.
public func printReport(_ report: [String: Any]) throws {
    print(String(decoding: try JSONSerialization.data(withJSONObject: report, options: [.sortedKeys]), as: UTF8.self))
}
