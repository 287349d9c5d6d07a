import Synchronization

/// Counters, gauges and histograms in Prometheus' text format.
///
/// A family is a name with its help; a series is a family with labels. Recording takes one short lock.
public final class MetricsRegistry: Sendable {
    public enum Kind: String, Sendable { case counter, gauge, histogram }

    public struct Family: Sendable, Hashable {
        public let name: String
        public let kind: Kind
        public let help: String
        /// Upper bounds of a histogram's buckets.
        public let buckets: [Double]

        public static func counter(_ name: String, _ help: String) -> Family { Family(name: name, kind: .counter, help: help, buckets: []) }
        public static func gauge(_ name: String, _ help: String) -> Family { Family(name: name, kind: .gauge, help: help, buckets: []) }
        /// Buckets for seconds (API.md, section 18).
        public static let seconds = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300]
        public static func histogram(_ name: String, _ help: String, buckets: [Double] = seconds) -> Family {
            Family(name: name, kind: .histogram, help: help, buckets: buckets)
        }
    }

    private struct Histogram {
        var counts: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }

    private struct Store {
        var order: [Family] = []
        var values: [String: [String: Double]] = [:]
        var histograms: [String: [String: Histogram]] = [:]

        mutating func register(_ family: Family) {
            guard values[family.name] == nil, histograms[family.name] == nil else { return }
            order.append(family)
            if family.kind == .histogram { histograms[family.name] = [:] } else { values[family.name] = [:] }
        }
    }

    private let store = Mutex(Store())
    private let readers = Mutex<[@Sendable (MetricsRegistry) -> Void]>([])

    public init() {}

    /// Calls `read` before each exposition: for figures that are asked for then.
    public func beforeText(_ read: @escaping @Sendable (MetricsRegistry) -> Void) { readers.withLock { $0.append(read) } }

    /// Adds to a counter or a gauge.
    public func add(_ family: Family, _ amount: Double = 1, labels: KeyValuePairs<String, String> = [:]) {
        let key = Self.labelText(labels)
        store.withLock { store in
            store.register(family)
            store.values[family.name, default: [:]][key, default: 0] += amount
        }
    }

    /// Sets a gauge, or a counter kept elsewhere.
    public func set(_ family: Family, _ value: Double, labels: KeyValuePairs<String, String> = [:]) {
        let key = Self.labelText(labels)
        store.withLock { store in
            store.register(family)
            store.values[family.name, default: [:]][key] = value
        }
    }

    /// Records one observation of a histogram.
    public func observe(_ family: Family, _ value: Double, labels: KeyValuePairs<String, String> = [:]) {
        let key = Self.labelText(labels)
        store.withLock { store in
            store.register(family)
            var histogram = store.histograms[family.name]?[key] ?? Histogram(counts: Array(repeating: 0, count: family.buckets.count))
            for (index, bound) in family.buckets.enumerated() where value <= bound { histogram.counts[index] += 1 }
            histogram.sum += value
            histogram.count += 1
            store.histograms[family.name, default: [:]][key] = histogram
        }
    }

    /// Sets a whole histogram that is kept elsewhere. `counts` are per bucket, not summed up, one more than the family has
    /// bounds.
    public func set(_ family: Family, counts: [Int], sum: Double, labels: KeyValuePairs<String, String> = [:]) {
        let key = Self.labelText(labels)
        var total: UInt64 = 0
        let running = counts.map { count -> UInt64 in
            total += UInt64(count)
            return total
        }
        store.withLock { store in
            store.register(family)
            store.histograms[family.name, default: [:]][key] = Histogram(
                counts: Array(running.prefix(family.buckets.count)), sum: sum, count: total)
        }
    }

    /// The exposition text of all families.
    public var text: String {
        readers.withLock { $0 }.forEach { $0(self) }
        return store.withLock { store in
            var lines: [String] = []
            for family in store.order {
                lines.append("# HELP \(family.name) \(family.help)")
                lines.append("# TYPE \(family.name) \(family.kind.rawValue)")
                for (labels, value) in (store.values[family.name] ?? [:]).sorted(by: { $0.key < $1.key }) {
                    lines.append("\(family.name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)")
                }
                for (labels, histogram) in (store.histograms[family.name] ?? [:]).sorted(by: { $0.key < $1.key }) {
                    let prefix = labels.isEmpty ? "" : labels + ","
                    for (bound, count) in zip(family.buckets, histogram.counts) {
                        lines.append("\(family.name)_bucket{\(prefix)le=\"\(bound)\"} \(count)")
                    }
                    lines.append("\(family.name)_bucket{\(prefix)le=\"+Inf\"} \(histogram.count)")
                    lines.append("\(family.name)_sum\(labels.isEmpty ? "" : "{\(labels)}") \(histogram.sum)")
                    lines.append("\(family.name)_count\(labels.isEmpty ? "" : "{\(labels)}") \(histogram.count)")
                }
            }
            return lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
        }
    }

    private static func labelText(_ labels: KeyValuePairs<String, String>) -> String {
        labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        guard text.contains(where: { $0 == "\\" || $0 == "\"" || $0.isNewline }) else { return text }
        return text.map { character -> String in
            switch character {
            case "\\": "\\\\"
            case "\"": "\\\""
            case _ where character.isNewline: "\\n"
            default: String(character)
            }
        }.joined()
    }
}

extension MetricsRegistry {
    /// Joins expositions of several processes: each family once, with all its series.
    public static func merge(_ texts: [String]) -> String {
        var order: [String] = []
        var heads: [String: [Substring]] = [:]
        var series: [String: [Substring]] = [:]
        for text in texts {
            var family = ""
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 3)
                if words.count >= 3, words[0] == "#", words[1] == "HELP" || words[1] == "TYPE" {
                    family = String(words[2])
                    if series[family] == nil {
                        order.append(family)
                        series[family] = []
                    }
                    if !(heads[family] ?? []).contains(where: { $0.hasPrefix("# \(words[1]) ") }) {
                        heads[family, default: []].append(line)
                    }
                } else if !line.hasPrefix("#"), !family.isEmpty {
                    series[family]?.append(line)
                }
            }
        }
        return order.flatMap { (heads[$0] ?? []) + (series[$0] ?? []) }.joined(separator: "\n") + (order.isEmpty ? "" : "\n")
    }
}

/// A model that tells what it has done.
public protocol MeteredModel: ServedModel {
    /// Writes its current figures under the label `model_name`.
    func report(to registry: MetricsRegistry, modelName: String)
}
