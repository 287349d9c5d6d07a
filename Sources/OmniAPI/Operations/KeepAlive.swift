/// How long a model stays loaded after the last request: Ollama's `keep_alive`.
public enum KeepAlive: Sendable, Equatable {
    case seconds(Double)
    case forever

    /// A duration as Go writes it (`5m`, `1h30m`, `300ms`), or a number of seconds; nil for what is neither. Below zero is for ever.
    public init?(_ text: String) {
        if let seconds = Double(text) {
            self.init(seconds)
            return
        }
        let isNegative = text.hasPrefix("-")
        var rest = isNegative ? text.dropFirst() : text[...], total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard let count = Double(digits), let length = Self.units[String(unit)] else { return nil }
            total += count * length
        }
        self.init(isNegative ? -total : total)
    }

    /// Nil for what is no number; a year and more is for ever.
    public init?(_ seconds: Double) {
        guard seconds.isFinite else { return nil }
        self = (0..<31_536_000).contains(seconds) ? .seconds(seconds) : .forever
    }

    private static let units: [String: Double] = [
        "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600,
    ]
}

extension WireType where Value == KeepAlive {
    public static var keepAlive: WireType {
        WireType(
            decode: { json, path in
                let value = json.stringValue.map { KeepAlive($0) } ?? json.doubleValue.flatMap { KeepAlive($0) }
                guard let value else { throw APIError.field(path, "must be seconds, or a duration such as 5m, not \(json.short).") }
                return value
            },
            encode: { if case .seconds(let seconds) = $0 { .number(seconds) } else { .int(-1) } },
            schema: { ["oneOf": [["type": "number"], ["type": "string"]]] })
    }
}
