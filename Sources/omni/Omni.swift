import ArgumentParser
import Foundation

@main
struct Omni: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "omni",
        abstract: "An omni-modal inference server with vLLM-Omni's OpenAI-style API.",
        version: Version.text,
        subcommands: [ServeCommand.self, WorkerCommand.self])

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot(ServeCommand.withoutForeignFlags(Array(CommandLine.arguments.dropFirst())))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}
