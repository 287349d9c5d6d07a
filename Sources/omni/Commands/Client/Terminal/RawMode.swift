import Foundation
import Synchronization

/// The terminal without its own line editing and without echo, until it is let go or the program ends.
final class RawMode {
    private var before = termios()

    /// Nil where the standard input is no terminal.
    ///
    /// - Parameter keepsSignals: Ctrl-C still interrupts.
    init?(keepsSignals: Bool = false) {
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return nil }
        Self.remember(before)
        var raw = before
        cfmakeraw(&raw)
        // Line ends still become carriage return and line feed.
        raw.c_oflag |= tcflag_t(OPOST)
        if keepsSignals { raw.c_lflag |= tcflag_t(ISIG) }
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else { return nil }
    }

    deinit { tcsetattr(STDIN_FILENO, TCSADRAIN, &before) }

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
    }
}
