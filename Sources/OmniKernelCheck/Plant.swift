import Foundation

/// A fault that a test plants in one case, to see it found: written as `CASE=wrong`, `CASE=SIGILL`, `CASE=hang`.
public struct Plant: Sendable, Equatable {
    enum Fault: Sendable, Equatable {
        case wrong, hang
        case signal(Int32)
    }

    let name: String
    let fault: Fault

    /// nil for what is not written so.
    public init?(_ text: String) {
        guard let equals = text.lastIndex(of: "=") else { return nil }
        name = String(text[..<equals])
        switch text[text.index(after: equals)...] {
        case "wrong": fault = .wrong
        case "hang": fault = .hang
        case "SIGILL": fault = .signal(SIGILL)
        case "SIGSEGV": fault = .signal(SIGSEGV)
        case "SIGABRT": fault = .signal(SIGABRT)
        default: return nil
        }
    }

    /// Does what a broken kernel would do before it has numbers.
    func strike() {
        switch fault {
        case .wrong: break
        case .hang: while true { sleep(1000) }
        case .signal(let number):
            // A crash handler of the runtime's would take its time.
            signal(number, SIG_DFL)
            raise(number)
        }
    }
}
