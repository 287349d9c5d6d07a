import ArgumentParser
import OmniClient

/// `omni voices`: the voices of the server.
struct VoicesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "voices", abstract: "List the server's voices, add one to be imitated, or remove it.",
        subcommands: [List.self, Add.self, Remove.self], defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List the voices.", discussion: ClientExit.help)
        @OptionGroup var connection: ConnectionFlags

        func perform(_ client: OmniClient) async throws {
            let list = try await client.voices.list()
            if connection.json { return Output.line(list.json.jsonText) }
            let uploaded = Set(list.uploaded.map { $0.name.lowercased() })
            for voice in list.voices { Output.line(Terminal.harmless(voice) + (uploaded.contains(voice) ? "  (uploaded)" : "")) }
        }
    }

    struct Add: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a voice to be imitated.",
            discussion: "FILE is a sound of 1 to 30 seconds and at most 10 MiB.\n\n\(ClientExit.help)")

        @Argument(help: "The voice's name.") var name: String
        @Argument(help: "A sample of it.") var file: String
        @Option(help: "The id under which the speaker agreed.") var consent: String
        @Option(help: "What is said in the sample.") var text: String?
        @Option(help: "Words about the speaker.") var description: String?
        @OptionGroup var connection: ConnectionFlags

        func perform(_ client: OmniClient) async throws {
            var voice = VoiceUpload(name: name, consent: consent)
            voice.refText = text
            voice.speakerDescription = description
            let kept = try await client.voices.upload(voice, sample: try Files.upload(file))
            Output.line(connection.json ? kept.json.jsonText : Terminal.harmless(kept.name))
        }
    }

    struct Remove: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Forget an uploaded voice.", discussion: ClientExit.help)
        @Argument(help: "The voice's name.") var name: String
        @OptionGroup var connection: ConnectionFlags

        func validate() throws { try checkNotEmpty(name, "NAME") }

        func perform(_ client: OmniClient) async throws {
            let reply = try await client.voices.delete(name)
            Output.line(connection.json ? reply.json.jsonText : Terminal.harmless(reply.message))
        }
    }
}
