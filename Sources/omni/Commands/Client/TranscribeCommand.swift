import ArgumentParser
import Foundation
import OmniClient

/// `omni transcribe`: what sound files say.
struct TranscribeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "transcribe", abstract: "Write down what sound files say.",
        discussion: """
            Prints text; subtitles with --srt or --vtt; all that is known with --json. Subtitles of several files are written beside them, \
            with the other ending.

            \(ClientExit.help)
            """)

    @Argument(help: ArgumentHelp("The sound files; videos do as well.", valueName: "file")) var files: [String]
    @Flag(help: "Subtitles as SubRip.") var srt = false
    @Flag(help: "Subtitles as WebVTT.") var vtt = false
    @Flag(help: "Write English, whatever is spoken.") var translate = false
    @Option(help: "What is spoken, such as en; the model tells by itself.") var language: String?
    @Option(help: "Text before the sound's: names, spelling.") var prompt: String?
    @Option(help: "The model.") var model: String?
    @OptionGroup var connection: ConnectionFlags

    func validate() throws {
        if [srt, vtt, connection.json].count(where: { $0 }) > 1 { throw ValidationError("Give one of --srt, --vtt and --json.") }
    }

    func perform(_ client: OmniClient) async throws {
        let uploads = try files.map { ($0, try Files.upload($0)) }
        for (file, upload) in uploads {
            do {
                try print(try await hear(upload, file, client), of: file)
            } catch var error as OmniError where error.status == 404 && model == nil {
                error.message = "The server at \(client.configuration.baseURL) has no model that transcribes."
                throw error
            }
        }
    }

    private struct Heard {
        var segments: [TranscriptionStreamEvent.Segment] = []
        var done = TranscriptionStreamEvent.Done()
    }

    private func hear(_ upload: Upload, _ file: String, _ client: OmniClient) async throws -> Heard {
        var request = TranscriptionRequest()
        (request.model, request.language, request.prompt, request.format) = (model, language, prompt, .verboseJSON)
        let bar = ProgressBar()
        defer { bar.end() }
        bar.show(.init(stage: "sending"))
        var heard = Heard()
        for try await update in try await (translate ? client.translations : client.transcriptions).stream(upload, request) {
            switch update {
            case .heard(let seconds, let all):
                bar.show(
                    .init(
                        stage: "transcribing", step: Int(seconds), steps: Int(all ?? 0),
                        detail: all == nil ? ProgressBar.time(seconds) : "s of sound"))
            case .text: break
            case .segment(let segment): heard.segments.append(segment)
            case .done(let done): heard.done = done
            }
        }
        return heard
    }

    private func print(_ heard: Heard, of file: String) throws {
        let cues = heard.segments.map { Subtitles.Cue(start: $0.start, end: $0.end, text: Terminal.harmless($0.text)) }
        if srt || vtt {
            let text = srt ? Subtitles.srt(cues) : Subtitles.vtt(cues)
            guard files.count > 1 else { return Output.write(text) }
            let path = URL(fileURLWithPath: file).deletingPathExtension().appendingPathExtension(srt ? "srt" : "vtt").path
            try Files.write(Data(text.utf8), to: path)
            return Output.line(path)
        }
        if connection.json {
            return Output.line(
                JSONValue.object(
                    JSONObject([
                        ("file", .string(file)), ("text", .string(heard.done.text)),
                        ("language", .string(heard.done.languages?.first?.code)),
                        (
                            "segments",
                            .array(heard.segments.map { ["start": .number($0.start), "end": .number($0.end), "text": .string($0.text)] })
                        ),
                    ])
                ).jsonText)
        }
        if files.count > 1 { Output.line("\(Terminal.harmless(file)):") }
        Output.line(Terminal.harmless(heard.done.text))
    }
}
