import CLlama
import Logging
import OmniEngine
import Synchronization
import Testing

@testable import OmniLlama

@Suite("What llama.cpp writes")
struct LlamaLogTests {
    private final class Lines: LogHandler {
        let lines = Mutex<[String]>([])
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .trace }
            set {}
        }
        subscript(metadataKey _: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) { lines.withLock { $0.append("\(event.level): \(event.message)") } }
    }

    private let lines = Lines()
    private let sink = LogSink()

    init() {
        sink.setLogger(Logger(label: "test", factory: { [lines] _ in lines }))
    }

    @Test("pieces of a line are one line, at the level that it began with; only errors pass the debug level")
    func pieces() {
        sink.add("loading ", level: GGML_LOG_LEVEL_WARN)
        sink.add("half", level: GGML_LOG_LEVEL_CONT)
        sink.add(" of it\n", level: GGML_LOG_LEVEL_CONT)
        sink.add("no such tensor\n", level: GGML_LOG_LEVEL_ERROR)
        #expect(lines.lines.withLock { $0 } == ["debug: loading half of it", "error: no such tensor"])
    }

    @Test("the first error of a thread that asks for it is kept, whatever it says; none before it asked")
    func firstError() {
        sink.add("before\n", level: GGML_LOG_LEVEL_ERROR)
        #expect(sink.firstError == nil)
        sink.clearErrors()
        sink.add("only told\n", level: GGML_LOG_LEVEL_WARN)
        #expect(sink.firstError == nil)
        sink.add("cut short\n", level: GGML_LOG_LEVEL_ERROR)
        sink.add("so it failed\n", level: GGML_LOG_LEVEL_ERROR)
        #expect(sink.firstError == "cut short")
    }

    @Test("whether an error is an abandoned graph's is told by its request, not by its words")
    func abandoned() {
        let handle = AbortHandle(lane: FreeLane()), owner = CancellationToken()
        handle.run(for: [owner], slicing: false) {
            sink.setHandle(handle)
            sink.add("failed to decode\n", level: GGML_LOG_LEVEL_ERROR)
            owner.cancel()
            sink.add("failed to decode\n", level: GGML_LOG_LEVEL_ERROR)
            sink.setHandle(nil)
            sink.add("aborted\n", level: GGML_LOG_LEVEL_ERROR)
        }
        #expect(lines.lines.withLock { $0 } == ["error: failed to decode", "debug: failed to decode", "error: aborted"])
    }
}
