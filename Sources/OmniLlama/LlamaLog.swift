import CLlama
import Logging
import OmniDevices
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

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
            ComputeDevice.loadBackends()
        }
    }

    private static let receive: @convention(c) (ggml_log_level, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void = {
        level, text, _ in
        guard let text else { return }
        sink.add(String(cString: text), level: level)
    }

    /// What llama.cpp said at level error first on this thread since its ``clearErrors()``: the reason of a failed load. Later ones say
    /// that it failed. Other threads may load or compute meanwhile.
    package static var firstError: String? { sink.firstError }
    package static func clearErrors() { sink.clearErrors() }

    /// This thread computes under `handle` from now on; nil: no longer. What llama.cpp calls an error of a graph that was abandoned is none.
    static func computes(under handle: AbortHandle?) { sink.setHandle(handle) }
}

final class LogSink: Sendable {
    private struct State {
        var logger: Logger?
        /// Lines that are not whole yet, of each thread.
        var open: [pthread_t: (text: String, level: Logger.Level)] = [:]
        /// The first error of each thread that has asked for it; an empty one: none so far.
        var firstErrors: [pthread_t: String] = [:]
        /// What may interrupt the graph that a thread computes.
        var handles: [pthread_t: AbortHandle] = [:]
    }

    private let state = Mutex(State())

    func setLogger(_ logger: Logger) { state.withLock { $0.logger = logger } }
    var firstError: String? { state.withLock { $0.firstErrors[pthread_self()].flatMap { $0.isEmpty ? nil : $0 } } }
    func clearErrors() { state.withLock { $0.firstErrors[pthread_self()] = "" } }
    func setHandle(_ handle: AbortHandle?) { state.withLock { $0.handles[pthread_self()] = handle } }

    /// llama.cpp's own lines are for its developers: only its errors pass the debug level.
    func add(_ text: String, level: ggml_log_level) {
        state.withLock { state in
            let thread = pthread_self()
            var (whole, severity) = state.open.removeValue(forKey: thread) ?? ("", .debug)
            if level != GGML_LOG_LEVEL_CONT { (whole, severity) = ("", level == GGML_LOG_LEVEL_ERROR ? .error : .debug) }
            whole += text
            guard whole.hasSuffix("\n") else { return state.open[thread] = (whole, severity) }
            let line = whole.split(separator: "\n").joined(separator: " ")
            if severity == .error, state.firstErrors[thread] == "" { state.firstErrors[thread] = line }
            // Aborted graphs are what a cancelled request looks like from below.
            let isAbort = state.handles[thread]?.shouldAbort() ?? false
            state.logger?.log(level: isAbort ? .debug : severity, "\(line)", metadata: ["component": "llama"])
        }
    }
}
