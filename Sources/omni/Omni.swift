import ArgumentParser
import Foundation

@main
struct Omni: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "omni",
        abstract: "An omni-modal inference server with vLLM-Omni's OpenAI-style API.",
        version: Version.text,
        subcommands: [
            ServeCommand.self, ChatCommand.self, ImageCommand.self, SpeakCommand.self, VoicesCommand.self, VideoCommand.self,
            JobsCommand.self,
            TranscribeCommand.self, ModelsCommand.self, SetupCommand.self, DoctorCommand.self, KernelCheckCommand.self, WorkerCommand.self,
        ])

    static func main() async {
        // A client or a log reader that goes away is an error of one write, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot(ServeArguments.prepared(Array(CommandLine.arguments.dropFirst())))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as ConfigurationError {
            exit(withError: Failure(error.description))
        } catch {
            exit(withError: error)
        }
    }
}
