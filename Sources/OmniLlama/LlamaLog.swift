import CLlama
import Logging
import Synchronization

/// Takes what llama.cpp and ggml write and hands it to swift-log, a line at a time.
package enum LlamaLog {
    private static let started = Mutex(false)
    private static let sink = LogSink()

    /// Starts llama.cpp once per process. The last caller's logger wins.
    package static func start(logger: Logger) {
        sink.setLogger(logger)
        started.withLock { started in
            guard !started else { return }
            started = true
            llama_log_set(receive, nil)
            mtmd_helper_log_set(receive, nil)
            llama_backend_init()
        }
    }

    private static let receive: @convention(c) (ggml_log_level, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void = { level, text, _ in
        guard let text else { return }
        sink.add(String(cString: text), level: level)
    }

    /// What llama.cpp said at level error first since ``clearErrors()``: the reason of a failed load. Later ones say that it failed.
    package static var firstError: String? { sink.firstError }
    package static func clearErrors() { sink.clearErrors() }
}

private final class LogSink: Sendable {
    private struct State {
        var logger: Logger?
        var line = ""
        var level = Logger.Level.debug
        var firstError: String?
    }

    private let state = Mutex(State())

    func setLogger(_ logger: Logger) { state.withLock { $0.logger = logger } }
    var firstError: String? { state.withLock { $0.firstError } }
    func clearErrors() { state.withLock { $0.firstError = nil } }

    /// llama.cpp's own lines are for its developers: only its errors pass the debug level.
    func add(_ text: String, level: ggml_log_level) {
        state.withLock { state in
            if level != GGML_LOG_LEVEL_CONT {
                state.level = level == GGML_LOG_LEVEL_ERROR ? .error : .debug
                state.line = ""
            }
            state.line += text
            guard state.line.hasSuffix("\n") else { return }
            let line = state.line.split(separator: "\n").joined(separator: " ")
            state.line = ""
            if state.level == .error, state.firstError == nil { state.firstError = line }
            // Aborted graphs are what a cancelled request looks like from below.
            let isAbort = ["abort", "failed to decode", "decode failed", "process failed", "failed with error 1", "compute status: 1", "removing memory module"].contains { line.contains($0) }
            state.logger?.log(level: isAbort ? .debug : state.level, "\(line)", metadata: ["component": "llama"])
        }
    }
}
