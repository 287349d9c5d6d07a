import ArgumentParser
import Foundation
import OmniClient

/// `omni chat`: a conversation in the terminal, or one answer.
struct ChatCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Talk with a model.",
        discussion: """
            With a PROMPT, with text from a pipe or a file, or with both, one answer is printed; otherwise a conversation begins. In it Enter sends, \
            Alt-Enter or a backslash at the end of a line begins a new line, Ctrl-C stops an answer, Ctrl-D ends, and /help lists the rest.

            \(ClientExit.help)
            """)

    @Argument(help: "What to say; - is the standard input.") var prompt: String?
    @Option(help: "The model; the server's default without it.") var model: String?
    @Option(help: "What the model is told first.") var system: String?
    @Option(help: "A picture to attach; may be given several times.") var image: [String] = []
    @Option(help: "A sound to attach; may be given several times.") var audio: [String] = []
    @Option(help: "How much chance decides; 0 is none.") var temperature: Double?
    @Option(help: "Most tokens of an answer.") var maxTokens: Int?
    @Option(help: "The same seed gives the same answer.") var seed: Int?
    @Option(help: ArgumentHelp("Where what you typed is kept.", valueName: "file")) var history: String?
    @Flag(help: "Keep nothing of what you type.") var noHistory = false
    @Option(help: "How pictures in answers are shown.") var show: PictureProtocol = .auto
    @OptionGroup var connection: ConnectionFlags

    func perform(_ client: OmniClient) async throws {
        var session = ChatSession(client: client, template: try template, display: show)
        if let system { session.system = system }
        try session.attach(image + audio)
        let isConversation = prompt == nil && Terminal.isInteractive && !connection.json
        if isConversation {
            var loop = ChatLoop(session: session, history: InputHistory(file: historyFile))
            return try await loop.run()
        }
        try await single(session)
    }

    private var template: ChatCompletionRequest {
        get throws {
            var request = ChatCompletionRequest()
            request.model = model
            request.sampling.temperature = temperature
            request.sampling.seed = seed
            request.maxTokens = maxTokens
            return request
        }
    }

    /// One answer. Text from a pipe comes after the prompt.
    private func single(_ session: ChatSession) async throws {
        var session = session
        var text = try Files.text(prompt, of: "chat")
        if let prompt, prompt != "-", Files.isInputPiped {
            let piped = Files.standardInput()
            if !piped.isEmpty { text += "\n\n" + piped }
        }
        if connection.json {
            let answer = try await session.answer(text) { _ in }
            Output.line(answer.json.jsonText)
        } else {
            let printer = AnswerPrinter(show: show)
            _ = try await session.answer(text) { printer.print($0) }
            printer.end()
        }
    }

    private var historyFile: URL? {
        if noHistory { return nil }
        if let history { return URL(fileURLWithPath: history) }
        let environment = ProcessInfo.processInfo.environment
        func given(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let home = given("HOME") ?? NSHomeDirectory()
        return URL(fileURLWithPath: given("OMNI_HOME") ?? (given("XDG_DATA_HOME") ?? "\(home)/.local/share") + "/omni")
            .appendingPathComponent("chat_history")
    }
}
