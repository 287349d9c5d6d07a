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
    /// The levels for `steps` steps.
    ///
    /// - Throws: ``DiffusionError/unsupported(_:)`` where the scheduler has no such levels, whatever the number of steps.
    func schedule(steps: Int, _ spacing: NoiseSpacing) throws -> any NoiseSchedule
}

/// Which levels a pipeline asks its scheduler for.
enum NoiseSpacing: Sendable, Equatable {
    /// Evenly from 1 down to 1/steps, then shifted; where the checkpoint wants a dynamic shift, by the tokens of a sample.
    case even(tokens: Int)
    /// The same, where the pipeline says itself how far a dynamic shift goes.
    ///
    /// - Parameter mu: the shift, or its logarithm where the checkpoint shifts exponentially. Has no effect without a dynamic shift.
    case evenShifted(mu: Double)
    /// Between the scheduler's own first and last level.
    ///
    /// - Parameter shift: in place of the checkpoint's own time shift; above 1 stays longer where there is much noise.
    case own(shift: Float?)
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

    /// The first step of a run that leaves an input picture by `strength`: 0 for 1, `steps` for none.
    func start(strength: Float) -> Int {
        // As decimal: 5 steps at 0.6 are 3 and not 2.9999.
        let strength = Double("\(strength)") ?? Double(strength)
        return Int(max(Double(steps) - min(Double(steps) * strength, Double(steps)), 0))
    }

    /// `picture` at the noise level before step `index`.
    func noised(_ picture: [Float], _ noise: [Float], before index: Int) -> [Float] {
        let sigma = sigmas[index]
        return zip(picture, noise).map { sigma * $1 + (1 - sigma) * $0 }
    }
}
