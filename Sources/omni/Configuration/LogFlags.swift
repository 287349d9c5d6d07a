import ArgumentParser
import Logging

/// How the log is written.
struct LogFlags: ParsableArguments {
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = "info"

    @Option(help: ArgumentHelp("text or json.", valueName: "format"))
    var logFormat = "text"

    func validate() throws {
        guard level != nil else { throw ValidationError("--log-level: there is no level `\(logLevel)`.") }
        guard StructuredLog.Format(rawValue: logFormat) != nil else { throw ValidationError("--log-format must be text or json.") }
    }

    private var level: Logger.Level? { Logger.Level(rawValue: logLevel.lowercased()) }

    /// Directs swift-log to standard error.
    func bootstrap() {
        let (level, format) = (level ?? .info, StructuredLog.Format(rawValue: logFormat) ?? .text)
        LoggingSystem.bootstrap { StructuredLog(label: $0, level: level, format: format) }
    }

    var arguments: [String] { ["--log-level", logLevel, "--log-format", logFormat] }
}
