import ArgumentParser
import Foundation
import OmniClient

/// `omni video`: videos; the job goes on when the terminal is closed.
struct VideoCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "video", abstract: "Generate a video.",
        discussion: """
            Puts a job in the server's queue and prints its id. With --wait or -o it waits for the video. Ctrl-C stops the waiting, not the \
            job: `omni jobs wait ID -o FILE` takes it up again, `omni jobs cancel ID` ends it.

            \(ClientExit.help)
            """)

    @Argument(help: "Prompt; the standard input without it.") var prompt: String?
    @Flag(help: "Wait until it is done.") var wait = false
    @Option(name: .shortAndLong, help: ArgumentHelp("Where the video goes; - is the standard output. Waits for it.", valueName: "file"))
    var output: String?
    @Option(help: ArgumentHelp("A picture to start from.", valueName: "file")) var image: String?
    @Option(help: "Length.") var seconds: Int?
    @Option(help: ArgumentHelp("Pixels; the model's own without it.", valueName: "WxH")) var size: String?
    @Option(help: "Frames, in place of --seconds.") var frames: Int?
    @Option(help: "Frames a second.") var fps: Double?
    @Option(help: "Denoising steps.") var steps: Int?
    @Option(help: "Weight of the prompt.") var guidance: Double?
    @Option(help: "What the video must not show.") var negative: String?
    @Option(help: "The same seed gives the same video.") var seed: Int?
    @Option(help: "The model.") var model: String?
    @OptionGroup var connection: ConnectionFlags

    func validate() throws {
        if let size, ImageSize(size) == nil {
            throw ValidationError("--size must be WIDTHxHEIGHT in pixels, such as 832x480; not \(size).")
        }
        try JobWatch.checkOutput(output, json: connection.json)
    }

    private var waits: Bool { wait || output != nil }

    func perform(_ client: OmniClient) async throws {
        var request = VideoGenerationRequest(model: model, try Files.text(prompt, of: "video"))
        request.seconds = seconds
        request.size = size.flatMap { ImageSize($0) }
        request.frames = frames
        request.fps = fps
        request.steps = steps
        request.guidanceScale = guidance
        request.negativePrompt = negative
        request.seed = seed
        let path = output ?? Files.free("video", "mp4")
        if waits { try Files.checkWritable(path) }
        let job = try await client.videos.create(request, inputReference: try image.map(Files.upload))
        guard waits else {
            return Output.line(connection.json ? job.json.jsonText : job.id)
        }
        try await JobWatch.finish(job, client, output: path, json: connection.json)
    }
}

/// Waits for a job and fetches its video.
enum JobWatch {
    static func checkOutput(_ output: String?, json: Bool) throws {
        if output == "-", json { throw ValidationError("-o - and --json both want the standard output.") }
        if let output, output != "-", (output as NSString).pathExtension.lowercased() != "mp4" {
            throw ValidationError("\(output) must end in .mp4.")
        }
    }

    static func finish(_ job: VideoJob, _ client: OmniClient, output: String, json: Bool) async throws {
        let bar = ProgressBar()
        defer { bar.end() }
        let done: VideoJob
        let bytes: Int
        do {
            done = try await client.videos.wait(for: job) { bar.show(state($0)) }
            bar.show(.init(stage: "fetching"))
            bytes = try await Files.save(try await client.videos.content(done.id), to: output)
        } catch  where error is CancellationError || (error as? OmniError)?.isTransient == true {
            bar.end()
            Output.note("The job goes on. Wait again: omni jobs wait \(job.id) -o \(output)\nEnd it: omni jobs cancel \(job.id)")
            throw error
        }
        bar.end()
        if json {
            var object = done.json.objectValue ?? JSONObject()
            object["file"] = .string(output)
            object["bytes"] = .int(bytes)
            Output.line(JSONValue.object(object).jsonText)
        } else if output != "-" {
            Output.line(output)
        }
    }

    /// A job as a progress bar shows it. Servers that tell no steps tell a percentage at best.
    static func state(_ job: VideoJob) -> ProgressBar.State {
        var state = ProgressBar.State(stage: job.stage ?? job.status.rawValue.replacingOccurrences(of: "_", with: " "))
        if let steps = job.steps, steps > 0 {
            (state.step, state.steps) = (job.step ?? 0, steps)
        } else if job.status == .inProgress {
            (state.step, state.steps) = (job.progress, 100)
        }
        if job.status == .queued, let place = job.queuePosition { state.detail = place == 0 ? "next" : "\(place) before it" }
        state.eta = job.etaSeconds
        return state
    }
}
