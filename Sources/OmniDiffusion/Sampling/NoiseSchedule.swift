/// How noise falls over the steps of a run, and how latents follow: the seam between the denoising loop and its schedulers. A
/// latent at noise level σ is `σ · noise + (1 − σ) · picture`; the model predicts `noise − picture`.
protocol NoiseSchedule: Sendable {
    /// Noise levels: one more than there are steps, falling.
    var sigmas: [Float] { get }
    /// The time of step `index` as the model takes it, falling from 1000.
    func timestep(_ index: Int) -> Float
    /// What takes the latents of one run from step to step.
    func solver() -> any NoiseSolver
}

/// The way of one run's latents through the noise levels; remembers what it needs of earlier steps.
protocol NoiseSolver {
    /// The latents after step `index`, given the velocity that the model predicts there. Called for each step once, in order.
    mutating func step(_ latents: [Float], velocity: [Float], _ index: Int) -> [Float]
}

/// Makes schedules; what `scheduler/scheduler_config.json` of a checkpoint describes.
protocol NoiseScheduler: Sendable {
    /// The levels for `steps` steps, with the scheduler's own first and last level.
    ///
    /// - Parameter shift: in place of the checkpoint's own time shift; above 1 stays longer where there is much noise.
    func schedule(steps: Int, shift: Float?) -> any NoiseSchedule
}

extension NoiseSchedule {
    var steps: Int { sigmas.count - 1 }

    /// Time passed before step `index`, 0…1.
    func progress(_ index: Int) -> Float { (1000 - timestep(index)) / 1000 }

    /// The picture that the model sees in the latents before step `index`.
    func clean(_ latents: [Float], velocity: [Float], _ index: Int) -> [Float] {
        let sigma = sigmas[index]
        return zip(latents, velocity).map { $0 - sigma * $1 }
    }
}

/// Every scheduler that is built, by `_class_name`.
enum NoiseSchedulers {
    static func load(_ checkpoint: Checkpoint) throws -> any NoiseScheduler {
        let file = "scheduler_config.json"
        let kind: Kind = try checkpoint.config("scheduler", file: file)
        switch kind._class_name ?? "" {
        case "UniPCMultistepScheduler": return try UniPC(checkpoint.config("scheduler", file: file))
        case "FlowMatchEulerDiscreteScheduler":
            let scheduler = try FlowMatchEuler(checkpoint.config("scheduler", file: file))
            guard scheduler.config.use_dynamic_shifting != true else { throw DiffusionError.unsupported("a video scheduler with dynamic shifting") }
            return scheduler
        case let other: throw DiffusionError.unsupported("the scheduler \(other)")
        }
    }

    private struct Kind: Decodable { let _class_name: String? }
}
