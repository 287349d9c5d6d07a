import Foundation
import OmniAPI
import OmniEngine
import OmniRequests

/// Draws what requests ask for: the worker's image model with its queue and limits.
struct ImageService: Sendable {
    let model: any ImageModel
    let modelName: String
    let semaphore: AsyncSemaphore
    let limits: ImageRequestLimits
    let fetcher: any MediaFetcher
    let meter: ImageMeter

    /// Finished pictures, in order, with what they took.
    struct Pictures: Sendable {
        var files: [ImageFile] = []
        var clock: StageClock
    }

    var inputs: ImageInputs { ImageInputs(limits: limits, fetcher: fetcher) }

    func begin(_ job: ImageJob, id: String) async throws -> ImageRun {
        try await meter.failing {
            let arrived = ContinuousClock.now
            let turn = try await meter.waiting { try await semaphore.enter(limit: limits.queue) }
            return try await ImageRun(job, model: model, turn: turn, running: meter.running(), arrived: arrived, limits: limits, id: id)
        }
    }

    /// Draws a job to the end.
    func draw(_ job: ImageJob, output: ImageOutput, id: String) async throws -> Pictures {
        let drawing = try await begin(job, id: id)
        return try await meter.ending(job, arrived: drawing.arrived) {
            var pictures = Pictures(clock: StageClock(start: drawing.start))
            var files: [Int: ImageFile] = [:]
            try await drawing.run { event in
                pictures.clock.note(event)
                if case .image(let index, let image) = event { files[index] = try await file(image, job, output) }
            }
            pictures.files = files.sorted { $0.key < $1.key }.map(\.value)
            return pictures
        }
    }

    /// A picture of `job` as a file, with its texts where they were asked for.
    func file(_ image: FloatImage, _ job: ImageJob, _ output: ImageOutput) async throws -> ImageFile {
        try await ImageFile.encode(image, cropped: job.size, as: output, texts: texts(of: job))
    }

    private func texts(of job: ImageJob) -> [(keyword: String, text: String)] {
        guard job.extras.metadata else { return [] }
        var texts = [
            ("Software", "swift-omni"), ("model", modelName), ("prompt", job.prompt), ("seed", String(job.seed)),
            ("steps", String(job.drawing.steps ?? model.imageDefaults.steps)),
            ("guidance_scale", String(job.drawing.guidance ?? Double(model.imageDefaults.guidanceScale))),
        ]
        if let negative = job.drawing.negativePrompt { texts.append(("negative_prompt", negative)) }
        if let strength = job.strength { texts.append(("strength", String(strength))) }
        if let hash = model.card.details["hash"]?.stringValue { texts.append(("model_hash", hash)) }
        return texts.map { (keyword: $0.0, text: $0.1) }
    }
}

/// The worker's model as one that draws.
struct ImageServices: Sendable {
    let worker: WorkerModel
    let semaphore: AsyncSemaphore
    let limits: ImageRequestLimits
    /// Gets pictures that requests name by URL.
    let fetcher: any MediaFetcher
    let metrics: MetricsRegistry

    /// 503 while the model loads, 404 when it does not draw.
    func service() throws -> ImageService {
        ImageService(
            model: try worker.model(as: (any ImageModel).self), modelName: worker.servedName, semaphore: semaphore,
            limits: limits,
            fetcher: fetcher, meter: ImageMeter(registry: metrics, modelName: worker.servedName))
    }
}
