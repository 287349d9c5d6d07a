import OmniEngine
import OmniTensor

/// One plan from prompt to frames, on the thread that computes: encode → denoise → decode, for every family.
struct DenoisingPipeline {
    let family: any DiffusionFamily
    let plan: DenoisingPlan
    let run: PipelineRun
    /// Sees the latents after each step: whoever keeps the last ones can decode them again.
    var observe: (DenoisingStep) -> Void = { _ in }

    func generate() throws {
        var latents = plan.finished ?? []
        if plan.finished == nil {
            latents = try denoise()
            try run.emit(.latents(latents))
        }
        for sample in latents.indices { try family.decode(plan, latents[sample], sample: sample, run) }
    }

    private func denoise() throws -> [[Float]] {
        let denoiser = try plan.prepare(run)
        let schedule = plan.schedule
        let loop = DenoisingLoop(
            schedule: schedule, start: plan.start, cacheThreshold: plan.cacheThreshold, batch: plan.batch, guidance: plan.guidance)
        let previews = PreviewTimer(previews: plan.preview == nil ? 0 : plan.previews, steps: schedule.steps - plan.start)
        let finished = try loop.run(
            denoiser.latents, cancellation: run.scope.cancellation, predict: denoiser.predict, blend: denoiser.blend
        ) { step in
            observe(step)
            try run.progress(.denoise, step.done, of: step.total)
            guard let preview = plan.preview, let number = previews.preview(after: step.done) else { return }
            for (sample, clean) in step.clean.enumerated() { try run.emit(.preview(sample: sample, number: number, preview(run, clean))) }
        }
        return finished.map(denoiser.finish)
    }
}

/// Spreads previews over the steps; the last step needs none.
struct PreviewTimer {
    let previews: Int
    let steps: Int

    /// The number of the preview that is due after `done` steps.
    func preview(after done: Int) -> Int? {
        let wanted = min(previews, steps - 1)
        return (0..<max(0, wanted)).first { steps * ($0 + 1) / (wanted + 1) == done }
    }
}
