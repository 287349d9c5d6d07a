/// One server-sent event.
package struct ServerEvent: Sendable, Equatable {
    /// The `event:` line; empty where there is none.
    package var name: String
    /// The `data:` lines, joined by line ends.
    package var data: String

    package init(name: String = "", data: String = "") {
        self.name = name
        self.data = data
    }
}

/// Reads `text/event-stream` (HTML standard, 9.2.6) from pieces cut anywhere.
package struct SSEParser: Sendable {
    package enum Item: Sendable, Equatable {
        case event(ServerEvent)
        /// A line that begins with a colon: keep-alives, and swift-omni's progress.
        case comment(String)
    }

    private var line: [UInt8] = []
    private var current = ServerEvent()
    private var hasData = false
    private var lastWasReturn = false
    private var isFirstLine = true

    package init() {}

    /// What the next bytes complete.
    package mutating func push(_ bytes: some Sequence<UInt8>) -> [Item] {
        var items: [Item] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\n") where lastWasReturn: lastWasReturn = false
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                lastWasReturn = byte == UInt8(ascii: "\r")
                if let item = endLine() { items.append(item) }
            default:
                lastWasReturn = false
                line.append(byte)
            }
        }
        return items
    }

    private mutating func endLine() -> Item? {
        var text = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        if isFirstLine, text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        isFirstLine = false
        guard !text.isEmpty else { return endEvent() }
        if text.utf8.first == UInt8(ascii: ":") { return .comment(Self.trimmed(text.dropFirst())) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count == 2 ? Self.trimmed(parts[1]) : ""
        switch parts[0] {
        case "event": current.name = value
        case "data":
            current.data += hasData ? "\n" + value : value
            hasData = true
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> Item? {
        defer {
            current = ServerEvent()
            hasData = false
        }
        return hasData ? .event(current) : nil
    }

    /// One blank after the colon does not count.
    private static func trimmed(_ text: Substring) -> String { String(text.first == " " ? text.dropFirst() : text) }
}
