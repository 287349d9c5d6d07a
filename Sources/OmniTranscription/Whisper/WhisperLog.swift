import CLlama
import CWhisper
import Logging
import Synchronization

/// Takes what whisper.cpp and ggml write and hands it to swift-log: all of it is for its developers.
enum WhisperLog {
    private static let sink = Mutex<(logger: Logger?, firstError: String?)>((nil, nil))

    /// The last caller's logger wins.
    static func start(logger: Logger) {
        sink.withLock { $0.logger = logger }
        whisper_log_set(receive, nil)
    }

    /// What was said at level error first since ``clearError()``.
    static var firstError: String? { sink.withLock { $0.firstError } }
    static func clearError() { sink.withLock { $0.firstError = nil } }

    private static let receive: @convention(c) (ggml_log_level, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void = {
        level, text, _ in
        guard let text else { return }
        let line = String(cString: text).split(separator: "\n").joined(separator: " ")
        guard !line.isEmpty else { return }
        let logger = sink.withLock { sink in
            if level == GGML_LOG_LEVEL_ERROR { sink.firstError = sink.firstError ?? line }
            return sink.logger
        }
        // A graph that was given up is an error to whisper.cpp.
        logger?.debug("\(line)", metadata: ["component": "whisper"])
    }
}
