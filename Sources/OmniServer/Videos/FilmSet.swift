import Foundation
import NIOPosix
import OmniAPI
import OmniEngine
import OmniGateway
import OmniMedia
import OmniStore

/// Films an order: the model makes the frames, and they go into the clip as they come. Frames are never held twice; finished
/// latents are put by before the first frame is decoded.
struct FilmSet: Sendable {
    let order: FilmOrder
    let model: any VideoModel
    let limits: ImageRequestLimits
    /// Of the worker; a number that falls off the end of a queue never blocks.
    let report: @Sendable (FilmReport) -> Void
    var makeWriter: ClipWriterMaker

    static let takesNoPicture = "The model does not start from a picture. Leave input_reference out, or name a model that does."
    static let needsPicture = "The model needs a picture to start from. Send one as input_reference."

    private var latentsPath: String { "\(order.folder)/\(JobFiles.latents)" }
    private var clip: String { "clip.\(order.attempt).mp4" }

    /// Reports until the order is done or has failed. Cancelling the task stops the model within a step.
    func film() async {
        do {
            report(.done(try await makeClip()))
        } catch {
            report(.failed(VideoJobError(error, id: order.id)))
        }
    }

    private func makeClip() async throws -> JobResult {
        let start = ContinuousClock.now
        let (plan, request) = try await prepare()
        let set = self
        let reel = Reel(stages: FilmClock()) { stage, step, steps in set.report(.progress(stage, step: step, steps: steps)) }
        do {
            try await run(request, plan, reel)
        } catch VideoModelError.invalid(let parameter, _) where request.latents != nil && parameter == "latents" {
            // Kept latents of another model, under the same name.
            unlink(latentsPath)
            var anew = request
            anew.latents = nil
            try await run(anew, plan, reel)
        }
        var result = try await finish(reel, plan)
        result.inferenceSeconds = (ContinuousClock.now - start) / .seconds(1)
        result.stageDurations = reel.stages.durations
        result.peakMemory = StageClock.peakMemory.doubleValue ?? 0
        if order.request.returnStageMetrics { result.metrics = reel.stages.metrics(total: result.inferenceSeconds) }
        return result
    }

    private func prepare() async throws -> (FilmPlan, VideoRequest) {
        try await NIOThreadPool.singleton.runIfActive {
            // Not after minutes of work.
            try VideoFormat.mp4.encoder(lossless: order.request.quality == .lossless)
            let defaults = model.videoDefaults
            let picture = order.hasPicture ? try self.picture() : nil
            if picture != nil, !defaults.startsFromPicture { throw APIError.invalid("body.input_reference", Self.takesNoPicture) }
            if picture == nil, defaults.needsPicture { throw APIError.invalid("body.input_reference", Self.needsPicture) }
            let plan = try FilmPlan(order.request, defaults, picture: picture.map { ImageSize(width: $0.width, height: $0.height) })
            var drawing = DrawingParameters()
            drawing.lora = order.request.lora
            var request = VideoRequest(order.request, seed: order.seed, plan, picture: picture, adapters: try limits.adapters(drawing))
            request.latents = LatentsFile.read(latentsPath)
            return (plan, request)
        }
    }

    private func picture() throws -> Picture {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(order.folder)/\(JobFiles.picture)")))
        do {
            return try ImageCodec.decode(bytes, limits: limits.codec)
        } catch var error as APIError {
            error.param = "body.input_reference"
            throw error
        }
    }

    private func run(_ request: VideoRequest, _ plan: FilmPlan, _ reel: Reel) async throws {
        let scope = RequestScope(id: order.id)
        do {
            try await withTaskCancellationHandler {
                try Task.checkCancellation()
                try await model.generate(request, scope: scope) { try take($0, plan, reel) }
                try Task.checkCancellation()
            } onCancel: {
                scope.cancellation.cancel()
            }
        } catch {
            reel.writer?.cancel()
            reel.writer = nil
            throw error
        }
    }

    /// On the engine's thread, which waits.
    private func take(_ event: VideoEvent, _ plan: FilmPlan, _ reel: Reel) throws {
        switch event {
        case .progress(.encodePrompt, let step, let steps), .progress(.encodeImage, let step, let steps): reel.note(.encode, step, steps)
        case .progress(.denoise, let step, let steps): reel.note(.denoise, step, steps)
        case .progress(.decode, _, _): reel.note(.decode, reel.frames, plan.frames)
        case .latents(let latents):
            let bytes = LatentsFile.bytes(latents)
            // With little room left the clip comes first.
            if order.mostBytes.map({ bytes <= $0 / 2 }) ?? true {
                try LatentsFile.write(latents, to: latentsPath)
                reel.latentsBytes = bytes
            }
            reel.note(.decode, 0, plan.frames)
        case .frame(let index, _, let image):
            guard index < plan.frames, let picture = ImageFile.picture(image, cropped: plan.size) else { return }
            if reel.writer == nil {
                reel.writer = try makeWriter("\(order.folder)/\(clip).partial", plan, order.request.quality, order.mostBytes.map { max(1, $0 - reel.latentsBytes) })
            }
            try reel.writer?.append(picture)
            reel.frames = index + 1
            reel.note(.decode, index + 1, plan.frames)
        }
    }

    private func finish(_ reel: Reel, _ plan: FilmPlan) async throws -> JobResult {
        reel.note(.mux, 0, 1)
        let result = try await NIOThreadPool.singleton.runIfActive {
            guard let writer = reel.writer else { throw VideoModelError.notFinite(stage: "decoding", cause: "no frame came") }
            let (bytes, size, note) = try writer.finish()
            let path = "\(order.folder)/\(clip)"
            try DurableFile.publish(path + ".partial", as: path)
            var result = JobResult()
            (result.clip, result.bytes, result.note) = (clip, bytes, note)
            (result.width, result.height, result.frames, result.fps) = (size.width, size.height, reel.frames, plan.fps)
            result.seconds = Double(reel.frames) / plan.fps
            // A clip without its small picture is still a clip.
            if let small = try? VideoReader.thumbnail(of: path), order.mostBytes.map({ bytes + small.count <= $0 }) ?? true,
                (try? DurableFile.write(small, to: "\(order.folder)/thumbnail.\(order.attempt).jpg")) != nil
            {
                result.thumbnail = "thumbnail.\(order.attempt).jpg"
            }
            return result
        }
        reel.note(.mux, 1, 1)
        return result
    }
}

/// What comes together while a clip is made.
// @unchecked: the engine's thread has it while the model runs, and the task that started it before and after; never both.
private final class Reel: @unchecked Sendable {
    var stages: FilmClock
    var writer: (any ClipWriter)?
    var frames = 0
    var latentsBytes = 0
    private let report: (FilmStage, Int, Int) -> Void

    init(stages: FilmClock, report: @escaping (FilmStage, Int, Int) -> Void) {
        self.stages = stages
        self.report = report
    }

    func note(_ stage: FilmStage, _ step: Int, _ steps: Int) {
        stages.note(stage, steps)
        report(stage, step, steps)
    }
}

/// Seconds that each stage took.
struct FilmClock {
    private var last = ContinuousClock.now
    private var stage = FilmStage.encode
    private var seconds: [FilmStage: Double] = [:]
    private var steps = 0

    mutating func note(_ stage: FilmStage, _ steps: Int) {
        let now = ContinuousClock.now
        seconds[self.stage, default: 0] += (now - last) / .seconds(1)
        (last, self.stage) = (now, stage)
        if stage == .denoise { self.steps = steps }
    }

    var durations: JSONObject {
        // The peer's word for the loop.
        JSONObject(FilmStage.allCases.compactMap { stage in
            seconds[stage].map { (stage == .denoise ? "diffuse" : stage.rawValue, JSONValue.number(($0 * 1e6).rounded() / 1e6)) }
        })
    }

    func metrics(total: Double) -> JSONObject {
        let loop = seconds[.denoise] ?? 0
        return JSONObject([
            ("num_inference_steps", .int(steps)), ("seconds_per_step", .number(steps > 0 ? loop / Double(steps) : 0)), ("total_seconds", .number(total)),
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
