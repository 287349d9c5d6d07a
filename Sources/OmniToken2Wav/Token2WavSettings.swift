import OmniEngine

/// How sound is made of codes. Every field has a default: transformers' own.
public struct Token2WavSettings: Sendable, Equatable {
    /// How the flow from noise to a spectrogram is followed.
    public enum Solver: String, Sendable, CaseIterable {
        /// Kutta's 3/8 rule, four evaluations for each interval: the reference.
        case rk4
        /// One evaluation for each interval.
        case euler

        /// All names, for messages.
        public static var known: String { allCases.map(\.rawValue).joined(separator: ", ") }
    }

    public var solver: Solver
    /// 2 to 100: as the reference counts them, points in time, of which `rk4` makes an interval less and `euler` as many.
    public var steps: Int
    /// 0 to 10: how far the sound is drawn away from what the model makes of no code and no voice. 0 leaves that branch out: half the time.
    public var guidance: Float
    /// Of the noise that the flow starts from.
    public var seed: UInt64

    public init(solver: Solver = .rk4, steps: Int = 10, guidance: Float = 0.5, seed: UInt64 = 0) {
        (self.solver, self.steps, self.guidance, self.seed) = (solver, steps, guidance, seed)
    }

    /// - Throws: ``Token2WavError/invalid(parameter:reason:)`` for what is out of its range.
    public func check() throws {
        let fewest = solver == .rk4 ? 2 : 1
        guard (fewest...100).contains(steps) else {
            throw Token2WavError.invalid(
                parameter: "token2wav_steps", reason: "must be \(fewest) to 100 with \(solver.rawValue), but is \(steps)")
        }
        guard guidance.isFinite, (0...10).contains(guidance) else {
            throw Token2WavError.invalid(parameter: "token2wav_guidance", reason: "must be 0 to 10, but is \(guidance)")
        }
    }

    /// As transformers does: less counts as none.
    var guides: Bool { guidance >= 1e-5 }
}

/// How a checkpoint is loaded and run.
public struct Token2WavOptions: Sendable {
    public enum Rounding: Sendable {
        /// f32, as the reference computes.
        case exact
        /// Products and most convolutions in bf16 where the CPU is faster with that; less memory.
        case fast
    }

    /// CPU threads of a graph.
    public var threads = Processors.current.threads
    public var useGPU = false
    public var rounding = Rounding.exact
    /// What a stream takes where its request says nothing.
    public var settings = Token2WavSettings()

    public init() {}
}

/// A voice of the checkpoint.
public struct Token2WavVoice: Sendable, Equatable {
    public let name: String
    /// The thinker's token that begins its speech (`bos_token` of `spk_dict.pt`).
    public let beginToken: Int
}

/// What a stream has computed.
public struct Token2WavReport: Sendable, Equatable {
    /// Seconds on the clock, waiting for the lane included.
    public var ditSeconds = 0.0
    public var vocoderSeconds = 0.0
    /// Samples that were handed out.
    public var samples = 0
    /// Passes through the transformer; one with guidance counts as one.
    public var evaluations = 0
}
