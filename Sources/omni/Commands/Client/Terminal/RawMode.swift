import Foundation
import Synchronization

/// The terminal without its own line editing and without echo, until it is let go or the program ends.
final class RawMode {
    private var before = termios()
    private let marksPastes: Bool

    /// Nil where the standard input is no terminal.
    ///
    /// - Parameters:
    ///   - keepsSignals: Ctrl-C still interrupts.
    ///   - marksPastes: Pasted text comes between marks (bracketed paste), so that its line ends are no Enter.
    init?(keepsSignals: Bool = false, marksPastes: Bool = false) {
        self.marksPastes = marksPastes
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return nil }
        Self.remember(before)
        var raw = before
        cfmakeraw(&raw)
        // Line ends still become carriage return and line feed.
        raw.c_oflag |= tcflag_t(OPOST)
        if keepsSignals { raw.c_lflag |= tcflag_t(ISIG) }
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else { return nil }
        if marksPastes {
            Self.marks.withLock { $0 = true }
            Output.write("\u{1B}[?2004h")
        }
    }

    deinit {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
        if marksPastes { Self.endMarks() }
    }

    /// Whether the terminal marks pastes now.
    private static let marks = Mutex(false)

    private static func endMarks() {
        let end = "\u{1B}[?2004l"
        // Not through `Output`, which may end the program: it is ending.
        if marks.withLock({ on in
            defer { on = false }; return on
        }) {
            _ = Foundation.write(STDOUT_FILENO, end, end.utf8.count)
        }
    }

    /// How the terminal was when the program began to change it.
    private static let first = Mutex<termios?>(nil)

    private static func remember(_ state: termios) {
        let isFirst = first.withLock { first in
            guard first == nil else { return false }
            first = state
            return true
        }
        if isFirst { atexit { RawMode.restore() } }
    }

    private static func restore() {
        guard var state = first.withLock({ $0 }) else { return }
        tcsetattr(STDIN_FILENO, TCSANOW, &state)
        endMarks()
    }
}
