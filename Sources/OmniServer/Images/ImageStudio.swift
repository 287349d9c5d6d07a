import Foundation
import OmniAPI
import OmniEngine

/// Draws what requests ask for: the worker's image model with its queue and limits.
struct ImageStudio: Sendable {
    let model: any ImageModel
    let modelName: String
    let turnstile: Turnstile
    let limits: ImageRequestLimits
    let fetcher: any MediaFetcher
    let meter: ImageMeter

    /// Finished pictures, in order, with what they took.
    struct Pictures: Sendable {
        var files: [ImageFile] = []
        var clock: StageClock
    }

    var inputs: ImageInputs { ImageInputs(limits: limits, fetcher: fetcher) }

    func begin(_ job: ImageJob, id: String) async throws -> Drawing {
        try await meter.waiting {
            try await Drawing(job, model: model, turnstile: turnstile, limits: limits, id: id)
        }
    }

    /// Draws a job to the end.
    func draw(_ job: ImageJob, output: ImageOutput, id: String) async throws -> Pictures {
        try await meter.running(job) {
            let drawing = try await begin(job, id: id)
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

extension WorkerRoutes {
    /// The worker's model as one that draws. 503 while it loads, 404 when it is of another kind.
    func studio(_ context: OmniContext, task: String) throws -> ImageStudio {
        let model = try worker.require((any ImageModel).self, task: task)
        return ImageStudio(
            model: model, modelName: worker.servedName, turnstile: turnstile, limits: context.limits.images, fetcher: fetcher,
            meter: ImageMeter(registry: metrics, modelName: worker.servedName, turnstile: turnstile))
    }
}
