import Foundation
import OmniAPI
import OmniModels
import Synchronization

/// Shows a pull on the standard error: one line that is written over on a terminal, a line now and then elsewhere.
final class PullDisplay: Sendable {
    private struct State {
        var started = ContinuousClock.now
        var shown: ContinuousClock.Instant?
        var present: Int64 = 0
        var files: [String: PullProgress] = [:]
        var lineIsOpen = false
    }

    private let quiet: Bool
    private let isTerminal: Bool
    private let state = Mutex(State())

    init(quiet: Bool) {
        self.quiet = quiet
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    func show(_ event: PullEvent) {
        guard !quiet else { return }
        state.withLock { state in
            switch event {
            case .started(let files, let bytes, let present):
                state.started = .now
                state.present = present
                let rest = present > 0 ? ", \(byteText(present)) of it here already" : ""
                write("\(files) file\(files == 1 ? "" : "s"), \(byteText(bytes))\(rest)", &state)
            case .advanced(let progress):
                state.files[progress.path] = progress.fileBytes < progress.fileSize ? progress : nil
                let pause = isTerminal ? Duration.milliseconds(100) : .seconds(5)
                guard state.shown.map({ .now - $0 >= pause }) ?? true else { return }
                state.shown = .now
                update(progress, &state)
            case .retrying(let path, let reason, let delay):
                write("\(path): \(reason); trying again\(delay > .zero ? " in \(delay.components.seconds) s" : "")", &state)
            case .finished(let path):
                state.files[path] = nil
                write("\(path) is whole", &state)
            }
        }
    }

    /// A line of its own.
    func say(_ line: String) {
        guard !quiet else { return }
        state.withLock { write(line, &$0) }
    }

    func interrupted(model: String) {
        guard !quiet else { return }
        state.withLock { write("Stopped. What has arrived stays; `omni models pull \(model)` goes on from there.", &$0) }
    }

    /// Ends the open line, if there is one.
    func end() { state.withLock { close(&$0) } }

    /// `63 %  1.2 GB of 1.9 GB  41 MB/s  0:17 left   model-00001.gguf 80 %`
    private func update(_ progress: PullProgress, _ state: inout State) {
        let seconds = Double((ContinuousClock.now - state.started).components.seconds)
        let rate = seconds > 0 ? Double(progress.totalBytes - state.present) / seconds : 0
        var line =
            "\(percent(progress.totalBytes, progress.totalSize))  \(byteText(progress.totalBytes)) of \(byteText(progress.totalSize))"
        if rate > 0 {
            let left = Int(Double(progress.totalSize - progress.totalBytes) / rate)
            line += "  \(byteText(Int64(rate)))/s  \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
        }
        for file in state.files.values.sorted(by: { $0.path < $1.path }) {
            line += "  \(file.path.split(separator: "/").last ?? "") \(percent(file.fileBytes, file.fileSize))"
        }
        if isTerminal {
            print("\r\u{1B}[K" + line.prefix(160), terminator: "")
            state.lineIsOpen = true
        } else {
            write(line, &state)
        }
    }

    private func percent(_ part: Int64, _ whole: Int64) -> String { "\(whole > 0 ? Int(Double(part) / Double(whole) * 100) : 100) %" }

    private func write(_ line: String, _ state: inout State) {
        close(&state)
        print(line, terminator: "\n")
    }

    private func close(_ state: inout State) {
        if state.lineIsOpen { print("", terminator: "\n") }
        state.lineIsOpen = false
    }

    private func print(_ text: String, terminator: String) { FileHandle.standardError.write(Data((text + terminator).utf8)) }
}
