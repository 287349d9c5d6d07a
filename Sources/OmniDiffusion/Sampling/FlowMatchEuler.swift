import Foundation

/// Euler steps along a rectified flow (arXiv:2209.03003; time shift: arXiv:2403.03206, section 5.3.2).
///
/// Reference: diffusers `FlowMatchEulerDiscreteScheduler`, in f32 as there.
public struct FlowMatchEuler: NoiseScheduler {
    public let config: Config

    /// `scheduler_config.json`; absent fields have diffusers' defaults.
    public struct Config: Decodable, Sendable {
        public var num_train_timesteps: Float?
        public var shift: Float?
        public var use_dynamic_shifting: Bool?
        public var base_shift: Double?
        public var max_shift: Double?
        public var base_image_seq_len: Double?
        public var max_image_seq_len: Double?
        public var shift_terminal: Float?
        public var time_shift_type: String?
        var invert_sigmas: Bool?
        var use_karras_sigmas: Bool?
        var use_exponential_sigmas: Bool?
        var use_beta_sigmas: Bool?
        var stochastic_sampling: Bool?

        public init() {}
    }

    /// The noise levels of a run: one more than there are steps, falling, the last 0.
    public struct Schedule: NoiseSchedule, Equatable {
        public let sigmas: [Float]
        let trainSteps: Float

        public var steps: Int { sigmas.count - 1 }
        /// The time of step `index` as the scheduler counts it, falling from 1000.
        public func timestep(_ index: Int) -> Float { sigmas[index] * trainSteps }

        func solver() -> any NoiseSolver { Solver(schedule: self) }
    }

    /// Needs no memory of earlier steps.
    private struct Solver: NoiseSolver {
        let schedule: Schedule

        func step(_ latents: [Float], velocity: [Float], _ index: Int) -> [Float] { schedule.step(latents, velocity: velocity, index) }
    }

    /// Throws for variants that are not built.
    public init(_ config: Config) throws {
        let variants = [
            ("invert_sigmas", config.invert_sigmas), ("use_karras_sigmas", config.use_karras_sigmas),
            ("use_beta_sigmas", config.use_beta_sigmas),
            ("use_exponential_sigmas", config.use_exponential_sigmas), ("stochastic_sampling", config.stochastic_sampling),
        ]
        if let variant = variants.first(where: { $0.1 == true }) {
            throw DiffusionError.unsupported("the FlowMatchEuler scheduler's \(variant.0)")
        }
        if let kind = config.time_shift_type, kind != "exponential", kind != "linear" {
            throw DiffusionError.unsupported("the FlowMatchEuler scheduler's time_shift_type \(kind)")
        }
        self.config = config
    }

    func schedule(steps: Int, _ spacing: NoiseSpacing) throws -> any NoiseSchedule {
        switch spacing {
        case .even(let tokens): return schedule(steps: steps, tokens: tokens)
        case .evenShifted(let mu): return schedule(steps: steps, mu: mu)
        case .own(let shift):
            guard config.use_dynamic_shifting != true else {
                throw DiffusionError.unsupported("a dynamic shift of the scheduler's own noise levels")
            }
            return schedule(steps: steps, shift: shift)
        }
    }

    /// Noise levels for `steps` steps over a picture of `tokens` tokens, which sets the shift where it is dynamic.
    public func schedule(steps: Int, tokens: Int) -> Schedule { schedule(steps: steps, mu: mu(tokens: tokens)) }

    /// - Parameter mu: of a dynamic shift.
    private func schedule(steps: Int, mu: Double) -> Schedule {
        var sigmas = Self.linear(from: 1, to: 1 / Float(steps), count: steps)
        if config.use_dynamic_shifting == true {
            let factor = Float(config.time_shift_type == "linear" ? mu : exp(mu))
            sigmas = sigmas.map { factor / (factor + (1 / $0 - 1)) }
        } else {
            let shift = config.shift ?? 1
            sigmas = sigmas.map { shift * $0 / (1 + (shift - 1) * $0) }
        }
        return Schedule(sigmas: stretched(sigmas) + [0], trainSteps: config.num_train_timesteps ?? 1000)
    }

    /// The levels that the scheduler has by itself: evenly from its first to its last one, both shifted already, then
    /// shifted once more, as the reference does.
    private func schedule(steps: Int, shift: Float?) -> Schedule {
        let train = config.num_train_timesteps ?? 1000
        let shift = shift ?? config.shift ?? 1
        func shifted(_ sigma: Float) -> Float { shift * sigma / (1 + (shift - 1) * sigma) }
        let (first, last) = (Double(shifted(1) * train), Double(shifted(1 / train) * train))
        let wide = Double(shift)
        let sigmas = (0..<steps).map { index -> Double in
            let time = steps == 1 ? first : first + Double(index) * ((last - first) / Double(steps - 1))
            let sigma = (index == steps - 1 && steps > 1 ? last : time) / Double(train)
            return wide * sigma / (1 + (wide - 1) * sigma)
        }
        return Schedule(sigmas: stretched(sigmas.map { Float($0) }) + [0], trainSteps: train)
    }

    /// The levels stretched so that the last one is the one that is wanted. The level of a single step is noise alone, which nothing can
    /// stretch; the reference divides 0 by 0 there.
    private func stretched(_ sigmas: [Float]) -> [Float] {
        guard let terminal = config.shift_terminal, let last = sigmas.last, last < 1 else { return sigmas }
        let factor = (1 - last) / (1 - terminal)
        return sigmas.map { 1 - (1 - $0) / factor }
    }

    /// The shift grows with the picture's tokens, along a line through two points.
    func mu(tokens: Int) -> Double {
        let (shortest, longest) = (config.base_image_seq_len ?? 256, config.max_image_seq_len ?? 4096)
        let (low, high) = (config.base_shift ?? 0.5, config.max_shift ?? 1.15)
        let slope = (high - low) / (longest - shortest)
        return Double(tokens) * slope + (low - slope * shortest)
    }

    /// `torch.linspace`, which counts from both ends.
    private static func linear(from start: Float, to end: Float, count: Int) -> [Float] {
        guard count > 1 else { return [start] }
        let step = (end - start) / Float(count - 1)
        return (0..<count).map { $0 < count / 2 ? start + step * Float($0) : end - step * Float(count - 1 - $0) }
    }
}

extension FlowMatchEuler.Schedule {
    /// The latents after step `index`, given the velocity `noise − picture` that the model predicts.
    public func step(_ latents: [Float], velocity: [Float], _ index: Int) -> [Float] {
        let distance = sigmas[index + 1] - sigmas[index]
        return zip(latents, velocity).map { $0 + distance * $1 }
    }
}
