import Foundation
import Synchronization

/// How far a job is, on the standard error: one line that is written over on a terminal, a plain line now and then elsewhere.
final class ProgressBar: Sendable {
    struct State: Sendable, Equatable {
        /// `queued`, `denoise` …
        var stage: String
        var step = 0
        var steps = 0
        /// Seconds left; nil where nobody knows.
        var eta: Double?
        /// Further words: a place in a queue, bytes.
        var detail: String?
    }

    private struct Shown: Sendable {
        var stage = ""
        var quarter = -1
        var stageBegan = ContinuousClock.now
        var isOpen = false
    }

    private let isQuiet: Bool
    private let isTerminal: Bool
    private let shown = Mutex(Shown())

    init(quiet: Bool = false) {
        isQuiet = quiet
        isTerminal = Terminal.showsErrors && !Terminal.isDumb
    }

    func show(_ state: State) {
        guard !isQuiet else { return }
        shown.withLock { shown in
            if shown.stage != state.stage {
                shown.stage = state.stage
                shown.quarter = -1
                shown.stageBegan = .now
            }
            var state = state
            if state.eta == nil { state.eta = Self.guess(state, since: shown.stageBegan) }
            if isTerminal {
                // Three columns are left for the ^C that a terminal echoes.
                Output.write(Array("\r\u{1B}[2K\(Self.line(state, columns: Terminal.size().columns - 3))".utf8), to: STDERR_FILENO)
                shown.isOpen = true
            } else if let quarter = Self.quarter(state), quarter > shown.quarter {
                shown.quarter = quarter
                Output.note(Self.plain(state))
            }
        }
    }

    /// Takes the line away.
    func end() {
        shown.withLock { shown in
            if shown.isOpen { Output.write(Array("\r\u{1B}[2K".utf8), to: STDERR_FILENO) }
            shown.isOpen = false
        }
    }

    /// From how fast the stage's steps went so far.
    private static func guess(_ state: State, since start: ContinuousClock.Instant) -> Double? {
        guard state.step > 0, state.steps > state.step else { return nil }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // The first step was told when it was done, so the stage's time is that of step - 1 steps or more.
        return seconds < 0.05 ? nil : seconds / Double(state.step) * Double(state.steps - state.step)
    }

    /// A line for each quarter of a stage.
    private static func quarter(_ state: State) -> Int? { state.steps > 0 ? state.step * 4 / state.steps : 0 }

    static func plain(_ state: State) -> String {
        var text = state.stage
        if state.steps > 0 { text += " \(state.step)/\(state.steps)" }
        if let detail = state.detail { text += ", \(detail)" }
        if let eta = state.eta { text += ", \(time(eta)) left" }
        return text
    }

    /// `denoise ━━━━━━╸─────  9/20  12 s left`, as much of it as fits.
    static func line(_ state: State, columns: Int) -> String {
        let name = state.stage
        let count = state.steps > 0 ? "\(state.step)/\(state.steps)" : ""
        var rest = [count, state.detail ?? "", state.eta.map { "\(time($0)) left" } ?? ""].filter { !$0.isEmpty }
        func tail() -> String { rest.isEmpty ? "" : "  " + rest.joined(separator: "  ") }
        while rest.count > 1, Terminal.width(name + tail()) > columns { rest.removeLast() }
        let room = columns - Terminal.width(name + tail()) - 1
        guard state.steps > 0, room >= 6 else { return Terminal.fitted(name + tail(), columns) }
        let length = min(room, 40)
        let halves = min(state.step, state.steps) * length * 2 / state.steps
        let full = String(repeating: "━", count: halves / 2) + (halves % 2 == 1 ? "╸" : "")
        return "\(name) \(full)\(String(repeating: "─", count: length - full.count))\(tail())"
    }

    static func time(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        return whole < 60 ? "\(whole) s" : whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}
