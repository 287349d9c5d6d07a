/// A voice to imitate. libmtmd keeps what it made of the last 16 samples, each under its id.
struct VoiceSample: Sendable {
    /// At ``LlamaSpeaker/Facts/sampleRateHeard``.
    let samples: [Float]
    /// The same for the same samples, while the process lives.
    let id: String

    init(_ samples: [Float]) {
        var hasher = Hasher()
        samples.withUnsafeBytes { hasher.combine(bytes: $0) }
        self.init(samples, id: "\(hasher.finalize())")
    }

    init(_ samples: [Float], id: String) {
        self.samples = samples
        self.id = id
    }
}
