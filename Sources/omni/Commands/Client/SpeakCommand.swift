import ArgumentParser
import Foundation
import OmniClient

/// `omni speak`: reads a text aloud.
struct SpeakCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "speak", abstract: "Read a text aloud, to a file or to the speakers.", discussion: ClientExit.help)

    @Argument(help: "The text; the standard input without it.") var text: String?
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where the sound goes, in the format of its ending; - is the standard output.", valueName: "file"))
    var output: String?
    @Flag(help: "Play it while it is made.") var play = false
    @Option(help: "Whose voice; `omni voices` lists them.") var voice: String?
    @Option(help: "How fast, 0.25 to 4; the pitch stays.") var speed = 1.0
    @Option(help: "The model.") var model: String?
    @OptionGroup var connection: ConnectionFlags

    func validate() throws {
        if play, output != nil { throw ValidationError("Give -o or --play, not both.") }
        if output == "-", connection.json { throw ValidationError("-o - and --json both want the standard output.") }
        if let output, output != "-", format == nil {
            throw ValidationError("\(output) must end in \(AudioFormat.allCases.map { "." + $0.rawValue }.joined(separator: ", ")).")
        }
    }

    func perform(_ client: OmniClient) async throws {
        var request = SpeechRequest(model: model, try Files.text(text, of: "speak"), voice: voice, format: format ?? .wav)
        request.speed = speed
        if play { return try await playIt(client, request) }
        let path = output ?? Files.free("speech", "wav")
        try Files.checkWritable(path)
        let bar = ProgressBar(quiet: path == "-")
        defer { bar.end() }
        bar.show(.init(stage: "speaking"))
        let sound = try await client.speech.create(request)
        let bytes = try await Files.save(sound, to: path)
        bar.end()
        if connection.json {
            var told = JSONObject([("file", .string(path)), ("bytes", .int(bytes)), ("format", .string(request.responseFormat.rawValue))])
            if let rate = sound.sampleRate { told.append("sample_rate", .int(rate)) }
            Output.line(JSONValue.object(told).jsonText)
        } else if path != "-" {
            Output.line(path)
        }
    }

    private var format: AudioFormat? {
        guard let output, output != "-" else { return .wav }
        return AudioFormat(rawValue: (output as NSString).pathExtension.lowercased())
    }

    private func playIt(_ client: OmniClient, _ request: SpeechRequest) async throws {
        let player = try Player()
        // Whatever ends this before the sound is heard ends the player too.
        defer { player.stop() }
        let bytes = try await withTaskCancellationHandler {
            let bytes = try await send(client, request, to: player)
            try await player.finish()
            return bytes
        } onCancel: {
            player.stop()
        }
        if connection.json { Output.line(JSONValue.object(JSONObject([("played_bytes", .int(bytes))])).jsonText) }
    }

    private func send(_ client: OmniClient, _ request: SpeechRequest, to player: Player) async throws -> Int {
        let bar = ProgressBar()
        defer { bar.end() }
        bar.show(.init(stage: "speaking"))
        var bytes = 0
        for try await chunk in try await client.speech.stream(request) {
            try player.write(chunk)
            bytes += chunk.count
        }
        return bytes
    }
}

/// A program that plays a WAV file from its standard input.
// @unchecked: Foundation's Process is not marked; it is started once and only asked after that.
final class Player: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    /// Its exit status, once.
    private let ended: AsyncStream<Int32>

    private static let known: [(name: String, arguments: [String])] = [
        ("aplay", ["-q", "-"]), ("ffplay", ["-nodisp", "-autoexit", "-loglevel", "error", "-i", "-"]), ("play", ["-q", "-t", "wav", "-"]),
        ("mpv", ["--really-quiet", "--no-video", "-"]),
    ]

    /// Takes `OMNI_PLAYER`, a program that reads a WAV file from its standard input, or the first one that is installed.
    init(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        func path(_ name: String) -> String? {
            name.contains("/") ? name : folders.map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile(atPath:))
        }
        let asked = environment["OMNI_PLAYER"].map { $0.split(separator: " ").map(String.init) } ?? []
        let candidates = asked.first.map { [(name: $0, arguments: Array(asked.dropFirst()))] } ?? Self.known
        if let name = asked.first, path(name) == nil {
            throw FileFault(message: "OMNI_PLAYER names \(name), which is not found.", code: 69)
        }
        guard let (program, arguments) = candidates.lazy.compactMap({ one in path(one.name).map { ($0, one.arguments) } }).first else {
            throw FileFault(
                message:
                    "No program to play sound with. Install one of \(Self.known.map(\.name).joined(separator: ", ")), name one in OMNI_PLAYER, or save it with -o FILE.",
                code: 69)
        }
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        let (ended, ending) = AsyncStream<Int32>.makeStream()
        self.ended = ended
        process.terminationHandler = {
            ending.yield($0.terminationStatus)
            ending.finish()
        }
        do { try process.run() } catch { throw FileFault(message: "\(program) does not start: \(error.localizedDescription)", code: 69) }
    }

    func write(_ chunk: Data) throws {
        do { try input.fileHandleForWriting.write(contentsOf: chunk) } catch {
            try Task.checkCancellation()
            throw FileFault(message: "\(process.executableURL?.lastPathComponent ?? "The player") ended before the sound did.", code: 70)
        }
    }

    /// Waits until all is heard.
    func finish() async throws {
        try? input.fileHandleForWriting.close()
        let status = await ended.first { _ in true }
        try Task.checkCancellation()
        if let status, status != 0 {
            throw FileFault(message: "\(process.executableURL?.lastPathComponent ?? "The player") ended with status \(status).", code: 70)
        }
    }

    /// Not with SIGTERM: a program started from a thread of Swift's inherits that it is blocked.
    func stop() {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
