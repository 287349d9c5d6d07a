import Foundation
import NIOPosix
import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests
import OmniStore
import OmniWorkerAPI

/// Runs a video task: the model makes the frames, and they go into the clip as they come. Frames are never held twice; finished
/// latents are put by before the first frame is decoded.
struct VideoTaskRunner: Sendable {
    let order: VideoTask
    let model: any VideoModel
    let limits: ImageRequestLimits
    /// Of the worker; a number that falls off the end of a queue never blocks.
    let report: @Sendable (VideoTaskEvent) -> Void
    var makeWriter: ClipWriterMaker

    private var latentsPath: String { "\(order.folder)/\(VideoTask.latentsFile)" }
    private var clip: String { "clip.\(order.attempt).mp4" }

    /// Reports until the order is done or has failed. Cancelling the task stops the model within a step.
    func video() async {
        do {
            report(.done(try await makeClip()))
        } catch {
            report(.failed(VideoJobError(error, id: order.id)))
        }
    }

    private func makeClip() async throws -> VideoTaskResult {
        let start = ContinuousClock.now
        let (plan, request) = try await prepare()
        let set = self
        let render = VideoRun(stages: VideoStageClock()) { stage, step, steps in set.report(.progress(stage, step: step, steps: steps)) }
        do {
            try await run(request, plan, render)
        } catch VideoModelError.invalid(let parameter, _) where request.latents != nil && parameter == "latents" {
            // Kept latents of another model, under the same name.
            unlink(latentsPath)
            var anew = request
            anew.latents = nil
            try await run(anew, plan, render)
        }
        var result = try await finish(render, plan)
        result.inferenceSeconds = (ContinuousClock.now - start) / .seconds(1)
        result.stageDurations = render.stages.durations
        result.peakMemory = StageClock.peakMemory.doubleValue ?? 0
        if order.request.returnStageMetrics { result.metrics = render.stages.metrics(total: result.inferenceSeconds) }
        return result
    }

    private func prepare() async throws -> (VideoShape, VideoRequest) {
        try await NIOThreadPool.singleton.runIfActive {
            // Not after minutes of work.
            try VideoFormat.mp4.encoder(lossless: order.request.quality == .lossless)
            let defaults = model.videoDefaults
            let picture = order.hasPicture ? try self.picture() : nil
            if picture != nil, !defaults.startsFromPicture { throw APIError.invalid("body.input_reference", VideoShape.takesNoPicture) }
            if picture == nil, defaults.needsPicture { throw APIError.invalid("body.input_reference", VideoShape.needsPicture) }
            let plan = try VideoShape(order.request, defaults, picture: picture.map { ImageSize(width: $0.width, height: $0.height) })
            var drawing = DrawingParameters()
            drawing.loras = order.request.loras
            var request = VideoRequest(order.request, seed: order.seed, plan, picture: picture, adapters: try limits.adapters(drawing))
            try defaults.limits.check(steps: request.steps, guidanceScale: request.guidanceScale)
            request.latents = LatentsFile.read(latentsPath)
            return (plan, request)
        }
    }

    private func picture() throws -> Picture {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(order.folder)/\(VideoTask.pictureFile)")))
        do {
            return try ImageCodec.decode(bytes, limits: limits.codec)
        } catch var error as APIError {
            error.param = "body.input_reference"
            throw error
        }
    }

    private func run(_ request: VideoRequest, _ plan: VideoShape, _ render: VideoRun) async throws {
        let scope = RequestScope(id: order.id)
        do {
            try await withTaskCancellationHandler {
                try Task.checkCancellation()
                try await model.generate(request, scope: scope) { try take($0, plan, render) }
                try Task.checkCancellation()
            } onCancel: {
                scope.cancellation.cancel()
            }
        } catch {
            render.writer?.cancel()
            render.writer = nil
            throw error
        }
    }

    /// On the engine's thread, which waits.
    private func take(_ event: VideoEvent, _ plan: VideoShape, _ render: VideoRun) throws {
        switch event {
        case .progress(.encodePrompt, let step, let steps), .progress(.encodeImage, let step, let steps): render.note(.encode, step, steps)
        case .progress(.denoise, let step, let steps): render.note(.denoise, step, steps)
        case .progress(.decode, _, _): render.note(.decode, render.frames, plan.frames)
        case .latents(let latents):
            let bytes = LatentsFile.bytes(latents)
            // With little room left the clip comes first.
            if order.mostBytes.map({ bytes <= $0 / 2 }) ?? true {
                try LatentsFile.write(latents, to: latentsPath)
                render.latentsBytes = bytes
            }
            render.note(.decode, 0, plan.frames)
        case .frame(let index, _, let image):
            guard index < plan.frames, let picture = ImageFile.picture(image, cropped: plan.size) else { return }
            if render.writer == nil {
                render.writer = try makeWriter(
                    "\(order.folder)/\(clip).partial", plan, order.request.quality, order.mostBytes.map { max(1, $0 - render.latentsBytes) }
                )
            }
            try render.writer?.append(picture)
            render.frames = index + 1
            render.note(.decode, index + 1, plan.frames)
        }
    }

    private func finish(_ render: VideoRun, _ plan: VideoShape) async throws -> VideoTaskResult {
        render.note(.mux, 0, 1)
        let result = try await NIOThreadPool.singleton.runIfActive {
            guard let writer = render.writer else { throw VideoModelError.notFinite(stage: "decoding", cause: "no frame came") }
            let (bytes, size, note) = try writer.finish()
            let path = "\(order.folder)/\(clip)"
            try DurableFile.publish(path + ".partial", as: path)
            var result = VideoTaskResult()
            (result.clip, result.bytes, result.note) = (clip, bytes, note)
            (result.width, result.height, result.frames, result.fps) = (size.width, size.height, render.frames, plan.fps)
            result.seconds = Double(render.frames) / plan.fps
            // A clip without its small picture is still a clip.
            if let small = try? VideoReader.thumbnail(of: path), order.mostBytes.map({ bytes + small.count <= $0 }) ?? true,
                (try? DurableFile.write(small, to: "\(order.folder)/thumbnail.\(order.attempt).jpg")) != nil
            {
                result.thumbnail = "thumbnail.\(order.attempt).jpg"
            }
            return result
        }
        render.note(.mux, 1, 1)
        return result
    }
}

/// What comes together while a clip is made.
// @unchecked: the engine's thread has it while the model runs, and the task that started it before and after; never both.
private final class VideoRun: @unchecked Sendable {
    var stages: VideoStageClock
    var writer: (any ClipWriter)?
    var frames = 0
    var latentsBytes = 0
    private let report: (VideoTaskStage, Int, Int) -> Void

    init(stages: VideoStageClock, report: @escaping (VideoTaskStage, Int, Int) -> Void) {
        self.stages = stages
        self.report = report
    }

    func note(_ stage: VideoTaskStage, _ step: Int, _ steps: Int) {
        stages.note(stage, steps)
        report(stage, step, steps)
    }
}

/// Seconds that each stage took.
struct VideoStageClock {
    private var last = ContinuousClock.now
    private var stage = VideoTaskStage.encode
    private var seconds: [VideoTaskStage: Double] = [:]
    private var steps = 0

    mutating func note(_ stage: VideoTaskStage, _ steps: Int) {
        let now = ContinuousClock.now
        seconds[self.stage, default: 0] += (now - last) / .seconds(1)
        (last, self.stage) = (now, stage)
        if stage == .denoise { self.steps = steps }
    }

    var durations: JSONObject {
        // The peer's word for the loop.
        JSONObject(
            VideoTaskStage.allCases.compactMap { stage in
                seconds[stage].map { (stage == .denoise ? "diffuse" : stage.rawValue, JSONValue.number(($0 * 1e6).rounded() / 1e6)) }
            })
    }

    func metrics(total: Double) -> JSONObject {
        let loop = seconds[.denoise] ?? 0
        return JSONObject([
            ("num_inference_steps", .int(steps)), ("seconds_per_step", .number(steps > 0 ? loop / Double(steps) : 0)),
            ("total_seconds", .number(total)),
        ])
    }
}

extension VideoJobError {
    /// What a job's row says of an error.
    init(_ error: any Error, id: String) {
        switch error {
        case let error as APIError: self.init(code: error.status, message: error.fullMessage)
        case VideoModelError.memory(let needed, let lacking, let side):
            let remedy = side.map { "A size of \($0)x\($0) would fit; so may fewer frames." } ?? "Ask for fewer frames, or a smaller size."
            self.init(code: 507, message: "The clip needs \(needed) bytes of memory, \(lacking) more than there are. \(remedy)")
        case VideoModelError.invalid(let parameter, let reason): self.init(code: 400, message: "\(parameter): \(reason).")
        case VideoModelError.stopped: self.init(code: 503, message: "The model was shut down.")
        case let error as VideoModelError: self.init(code: 500, message: "Video generation failed: \(error).")
        case is CancellationError: self.init(code: 499, message: "The job was cancelled.")
        default: self.init(code: 500, message: "Something went wrong inside the server. The server's log has the details under id \(id).")
        }
    }
}
