import Dispatch
import Foundation
import OmniClient

/// The conversation in the terminal: reads a message, streams the answer, and again.
struct ChatLoop {
    var session: ChatSession
    private let editor: SendableEditor

    init(session: ChatSession, history: InputHistory) {
        self.session = session
        editor = SendableEditor(LineEditor(prompt: "› ", history: history))
    }

    mutating func run() async throws {
        try await greet()
        // Held over every message, so that what is typed between the editor and the answer does not show either.
        // A terminal that cannot move the cursor edits its lines itself, and must echo.
        let quiet = Terminal.isDumb ? nil : RawMode(keepsSignals: true, marksPastes: true)
        defer { withExtendedLifetime(quiet) {} }
        // Ctrl-C outside of an answer ends nothing.
        try await Interrupt.calls(Self.tellHowToEnd) { try await converse() }
    }

    private static let tellHowToEnd: @Sendable () -> Void = { Output.line("\u{1B}[2m(Ctrl-D or /quit ends)\u{1B}[0m") }

    private mutating func converse() async throws {
        while true {
            switch await editor.read() {
            case .ended: return
            case .interrupted: Self.tellHowToEnd()
            case .message(let text):
                let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
                if text.isEmpty { continue }
                if text.hasPrefix("/") {
                    guard command(text) else { return }
                } else {
                    try await say(text)
                }
            }
        }
    }

    /// Says who is there, and fails at once where nobody is.
    private func greet() async throws {
        let models = try await session.client.models.list(CallOptions(timeout: .seconds(10)))
        let able = models.filter { $0.kind == nil || ["text", "remote", "image"].contains($0.kind) }
        guard !able.isEmpty else { throw OmniError(.refused, "The server serves no model that can chat.", status: 404) }
        let name = session.template.model ?? (able.first { $0.kind == "text" } ?? able.first)?.id ?? ""
        Output.line("\u{1B}[2m\(Terminal.harmless(name)) · /help lists what there is\u{1B}[0m")
    }

    private mutating func say(_ text: String) async throws {
        let start = session
        // What is typed meanwhile is not shown in the middle of the answer; it is the beginning of the next message.
        let quiet = RawMode(keepsSignals: true)
        defer { withExtendedLifetime(quiet) {} }
        session = try await Interrupt.cancels {
            var session = start
            let printer = AnswerPrinter(show: session.display)
            do {
                _ = try await session.answer(text) { printer.print($0) }
                printer.end()
            } catch is CancellationError {
                printer.end()
                Output.line("\u{1B}[2m(stopped)\u{1B}[0m")
            } catch {
                printer.end()
                // A conversation outlives what goes wrong in it.
                _ = ClientExit.report(error, json: false, client: session.client)
                let isForgotten = session.messages.count == start.messages.count && session.attachments.count < start.attachments.count
                if isForgotten { Output.note("What was attached is dropped.") }
            }
            return session
        }
    }

    /// Does what begins with a slash. False ends the conversation.
    private mutating func command(_ text: String) -> Bool {
        let parts = text.split(separator: " ", maxSplits: 1)
        let argument = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        switch parts[0] {
        case "/quit", "/exit", "/bye": return false
        case "/help", "/?": Output.line(Self.help)
        case "/reset", "/clear":
            session.reset()
            Output.line("The conversation begins anew.")
        case "/system":
            session.system = argument.isEmpty ? nil : argument
            Output.line(argument.isEmpty ? "No system prompt." : "The system prompt is set.")
        case "/model":
            session.template.model = argument.isEmpty ? nil : argument
            Output.line(argument.isEmpty ? "The server's default model." : "From now on \(Terminal.harmless(argument)).")
        case "/image", "/audio", "/attach":
            do {
                try session.attach([(argument as NSString).expandingTildeInPath])
                Output.line("Goes with your next message.")
            } catch {
                Output.note((error as? FileFault)?.message ?? (error as? OmniError)?.message ?? "\(error)")
            }
        case "/save": save(argument)
        default: Output.note("There is no \(Terminal.harmless(String(parts[0]))). /help lists what there is.")
        }
        return true
    }

    private func save(_ path: String) {
        guard !path.isEmpty else { return Output.note("Say where to: /save FILE") }
        let list = (session.system.map { [ChatMessage.system($0)] } ?? []) + session.messages
        do {
            try Files.write(Data((JSONValue.array(list.map(\.json)).jsonText + "\n").utf8), to: path)
            Output.line("\(list.count) messages are in \(path).")
        } catch {
            Output.note((error as? FileFault)?.message ?? "\(error)")
        }
    }

    private static let help = """
        Enter sends; Alt-Enter, or a backslash at the end, begins a new line.
        Ctrl-C stops an answer, Ctrl-D ends.
          /image FILE, /audio FILE   attach to the next message
          /system TEXT               what the model is told first; without TEXT nothing
          /model NAME                another model
          /reset                     begin anew
          /save FILE                 the conversation as JSON
          /quit
        """
}

/// The editor on a thread of its own: waiting for keys blocks.
// @unchecked: it is used by one read at a time, always on its queue.
private final class SendableEditor: @unchecked Sendable {
    private let editor: LineEditor
    private let queue = DispatchQueue(label: "omni.keys")

    init(_ editor: LineEditor) { self.editor = editor }

    func read() async -> LineEditor.Result {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: self.editor.read()) } }
    }
}
