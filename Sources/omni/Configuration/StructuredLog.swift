import Foundation
import Logging
import OmniAPI

/// Writes log lines to a file descriptor, one write a line. A full disk or a closed pipe loses lines, never the server.
struct StructuredLog: LogHandler {
    enum Format: String, CaseIterable, Sendable { case text, json }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    let label: String
    let format: Format
    let descriptor: Int32

    init(label: String, level: Logger.Level, format: Format, descriptor: Int32 = 2) {
        self.label = label
        logLevel = level
        self.format = format
        self.descriptor = descriptor
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let (level, message) = (event.level, event.message)
        let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
        let fields = all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        var text = format == .json ? jsonLine(level, message, fields) : textLine(level, message, fields)
        text += "\n"
        text.withUTF8 { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = write(descriptor, rest.baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    private func textLine(_ level: Logger.Level, _ message: Logger.Message, _ fields: [(String, String)]) -> String {
        var line = "\(timestamp()) \(level.rawValue.uppercased()) \(label): \(message)"
        for (key, value) in fields { line += " \(key)=\(Self.quoted(value))" }
        return line
    }

    private func jsonLine(_ level: Logger.Level, _ message: Logger.Message, _ fields: [(String, String)]) -> String {
        var line =
            "{\"time\":\"\(timestamp())\",\"level\":\"\(level.rawValue)\",\"logger\":\(Self.json(label)),\"message\":\(Self.json("\(message)"))"
        for (key, value) in fields { line += ",\(Self.json(key)):\(Self.json(value))" }
        return line + "}"
    }

    private static func quoted(_ text: String) -> String {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") } && !text.isEmpty ? text : json(text)
    }

    private static func json(_ text: String) -> String { JSONValue.string(text).jsonText }

    /// UTC with milliseconds, RFC 3339.
    private func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = now.tv_nsec / 1_000_000
        let padded = milliseconds < 10 ? "00\(milliseconds)" : milliseconds < 100 ? "0\(milliseconds)" : "\(milliseconds)"
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padded)Z"
    }
}

extension UnsafeBufferPointer<UInt8>.SubSequence {
    fileprivate var baseAddress: UnsafePointer<UInt8>? { base.baseAddress.map { $0 + startIndex } }
}
