import OmniTensor

/// One utterance: codes in, sound out as it becomes final. Belongs to one thread, which it blocks.
///
/// Memory does not grow with the length: what is kept are the codes, the noise and the spectrogram of one window.
public final class Token2WavStream {
    public private(set) var report = Token2WavReport()
    private let model: Token2Wav
    private let run: FlowRun
    private let voice: Token2Wav.Speaker
    private var plan: ChunkPlan
    private var noise: NoiseLine
    /// Codes from `firstCode` on.
    private var codes: [Int32] = []
    private var firstCode = 0
    /// Final frames of the spectrogram from `firstPast` on: those that the vocoder sees before what was not spoken yet, and these.
    private var past: [Float] = []
    private var firstPast = 0
    /// Frames whose samples were handed out, and samples behind them that the next window's fade in from.
    private var spoken = 0
    private var tail: [Float] = []
    private var isFinished = false

    init(_ model: Token2Wav, _ voice: Token2Wav.Speaker, _ settings: Token2WavSettings, _ scope: ComputeScope) throws {
        (self.model, self.voice) = (model, voice)
        run = try FlowRun(model, settings, scope)
        plan = model.plan
        noise = NoiseLine(seed: settings.seed, bands: model.config.transformer.mel)
    }

    /// Takes more codes and returns the samples that became final: mono, f32 within ±1, 24 kHz. Often none.
    ///
    /// - Throws: `CancellationError` once the scope was cancelled, ``Token2WavError/invalid(parameter:reason:)`` for a code that the model does
    ///   not know, ``TensorError``.
    public func append(_ codes: [Int32]) throws -> [Float] {
        try model.check(codes)
        guard !isFinished else { throw Token2WavError.invalid(parameter: "codes", reason: "came after the stream had been finished") }
        self.codes += codes
        return try advance()
    }

    /// Says that no more codes come, and returns the rest of the samples.
    public func finish() throws -> [Float] {
        if isFinished { return [] }
        isFinished = true
        return try advance()
    }

    /// Codes that must come before there is more sound; 0 once the stream is finished.
    public var codesUntilSound: Int { isFinished ? 0 : max(0, plan.wanted / model.config.transformer.repeats - firstCode - codes.count) }

    private func advance() throws -> [Float] {
        var samples: [Float] = []
        let repeats = model.config.transformer.repeats
        while let window = plan.next(frames: (firstCode + codes.count) * repeats, isWhole: isFinished) {
            codes.removeFirst(window.frames.lowerBound / repeats - firstCode)
            firstCode = window.frames.lowerBound / repeats
            let mel = try run.spectrogram(
                Array(codes.prefix(window.frames.count / repeats)), voice, noise: noise(window.frames), &report)
            samples += try sound(mel, window)
        }
        report.samples += samples.count
        return samples
    }

    /// Samples that become final with a window. What is left of its frames waits until those are known that the vocoder sees behind them.
    private func sound(_ mel: [Float], _ window: ChunkWindow) throws -> [Float] {
        let (bands, hop, isLast) = (
            model.config.transformer.mel, model.config.vocoder.hop, isFinished && window.frames.upperBound == window.final.upperBound
        )
        // Behind what is final stands what the window makes of the frames to come.
        past += mel.dropFirst((window.final.lowerBound - window.frames.lowerBound) * bands).prefix(window.final.count * bands)
        let end = isLast ? window.final.upperBound : max(spoken, window.final.upperBound - model.heldBack)
        let known = past + mel.dropFirst((window.final.upperBound - window.frames.lowerBound) * bands)
        let seen = min(firstPast + known.count / bands, end + model.vocoderContext)
        let wave = try run.sound(Array(known.prefix((seen - firstPast) * bands)), &report)
        func samples(_ frames: Range<Int>) -> ArraySlice<Float> {
            wave[(frames.lowerBound - firstPast) * hop..<(frames.upperBound - firstPast) * hop]
        }
        var fresh = Array(samples(spoken..<end))
        for (place, old) in tail.enumerated() where place < fresh.count {
            fresh[place] = old + (Float(place) + 0.5) / Float(tail.count) * (fresh[place] - old)
        }
        tail = Array(samples(end..<min(seen, end + Self.fade)))
        spoken = end
        let kept = max(firstPast, spoken - model.vocoderContext)
        past.removeFirst((kept - firstPast) * bands)
        firstPast = kept
        return fresh
    }

    /// Frames over which one window's sound passes into the next one's.
    private static let fade = 2
}
