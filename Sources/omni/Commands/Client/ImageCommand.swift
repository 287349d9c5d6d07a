import ArgumentParser
import Foundation
import OmniClient

/// `omni image`: draws, or changes a picture.
struct ImageCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Draw a picture, or change one.", discussion: ClientExit.help)

    @Argument(help: "What to draw or to change; the standard input without it.") var prompt: String?
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where the picture goes; - is the standard output. With several, the names get numbers.", valueName: "file"))
    var output: String?
    @Option(help: ArgumentHelp("A picture to change; again for each further one that the model shall look at.", valueName: "file"))
    var edit: [String] = []
    @Option(help: ArgumentHelp("Where to draw anew: the transparent parts, or the white ones.", valueName: "file")) var mask: String?
    @Option(help: "How far to leave the picture that is changed, 0 to 1.") var strength: Double?
    @Option(help: ArgumentHelp("Pixels; the model's own without it.", valueName: "WxH")) var size: String?
    @Option(help: "Denoising steps.") var steps: Int?
    @Option(help: "Weight of the prompt.") var guidance: Double?
    @Option(help: "What the picture must not show.") var negative: String?
    @Option(help: "The same seed gives the same picture.") var seed: Int?
    @Option(name: .shortAndLong, help: "How many.") var n = 1
    @Option(help: "The model.") var model: String?
    @Option(help: "How the terminal shows it.") var show: PictureProtocol = .auto
    @OptionGroup var connection: ConnectionFlags

    func validate() throws {
        if mask != nil, edit.isEmpty { throw ValidationError("--mask needs --edit.") }
        if strength != nil, edit.isEmpty { throw ValidationError("--strength needs --edit.") }
        if let size, ImageSize(size) == nil {
            throw ValidationError("--size must be WIDTHxHEIGHT in pixels, such as 512x512; not \(size).")
        }
        if output == "-", n != 1 { throw ValidationError("-o - takes one picture.") }
        if output == "-", connection.json { throw ValidationError("-o - and --json both want the standard output.") }
        if let output, output != "-", format == nil { throw ValidationError("\(output) must end in .png, .jpg, .jpeg or .webp.") }
    }

    func perform(_ client: OmniClient) async throws {
        let prompt = try Files.text(prompt, of: "image")
        try Files.checkWritable(output ?? Files.free("picture", "png"))
        let start = ContinuousClock.now
        let bar = ProgressBar()
        defer { bar.end() }
        var pictures: [ImageStreamEvent] = []
        bar.show(.init(stage: "waiting"))
        for try await update in try await updates(client, prompt) {
            switch update {
            case .progress(let stage, let step, let steps): bar.show(.init(stage: stage, step: step, steps: steps))
            case .completed(let picture): pictures.append(picture)
            case .preview, .thought: break
            }
        }
        bar.end()
        guard !pictures.isEmpty else { throw OmniError(.unreadable, "The server ended its answer without a picture.") }
        try report(pictures.sorted { $0.index < $1.index }, seconds: (ContinuousClock.now - start) / .seconds(1))
    }

    private func updates(_ client: OmniClient, _ prompt: String) async throws -> EventStream<ImageUpdate> {
        guard let first = edit.first else {
            var request = ImageGenerationRequest(model: model, prompt, size: size.flatMap { ImageSize($0) })
            request.n = n
            request.output.format = format ?? .png
            request.drawing = drawing
            return try await client.images.streamGeneration(request)
        }
        var request = ImageEditRequest(model: model, prompt)
        request.size = size.flatMap { ImageSize($0) }
        request.n = n
        request.output.format = format ?? .png
        request.strength = strength
        request.drawing = drawing
        var inputs = EditInputs(try Files.upload(first), mask: try mask.map(Files.upload))
        inputs.pictures += try edit.dropFirst().map(Files.upload)
        return try await client.images.streamEdit(request, inputs)
    }

    private var drawing: DrawingParameters {
        var drawing = DrawingParameters()
        drawing.steps = steps
        drawing.guidanceScale = guidance
        drawing.negativePrompt = negative
        drawing.seed = seed
        return drawing
    }

    /// By the ending of the file's name; nil where it has none that is known.
    private var format: ImageOutputFormat? {
        guard let output, output != "-" else { return .png }
        return ImageOutputFormat(rawValue: (output as NSString).pathExtension.lowercased())
    }

    private func report(_ pictures: [ImageStreamEvent], seconds: Double) throws {
        var paths: [String] = []
        for picture in pictures {
            let ending = picture.outputFormat ?? "png"
            let path = output.map { pictures.count == 1 ? $0 : numbered($0, picture.index + 1) } ?? Files.free("picture", ending)
            try Files.write(picture.bytes, to: path)
            paths.append(path)
            if path != "-", !connection.json { PictureDisplay.show(picture.bytes, as: show) }
        }
        if connection.json {
            Output.line(
                JSONValue.object(
                    JSONObject([
                        ("files", .array(paths.map { .string($0) })), ("size", .string(pictures.first?.size)),
                        ("seconds", .number((seconds * 1000).rounded() / 1000)),
                        ("metrics", pictures.last?.metrics?.json ?? .null),
                    ])
                ).jsonText)
        } else if output != "-" {
            Output.line(paths.joined(separator: "\n"))
        }
    }

    /// `f.png` becomes `f-2.png`.
    private func numbered(_ path: String, _ number: Int) -> String {
        let name = path as NSString
        return "\(name.deletingPathExtension)-\(number).\(name.pathExtension)"
    }
}
