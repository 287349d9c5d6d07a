import CLlama
import OmniAPI
import OmniEngine
import OmniLlama

/// Speaks units with libllama and libmtmd, frame by frame and one at a time.
// @unchecked: the synthesis thread alone makes and uses it, but for `prepare`, which reads nothing of it.
final class LlamaSpeaker: UnitSpeaker, @unchecked Sendable {
    struct VoiceSettings {
        /// As the model's vocabulary names it; nil for models that have but one.
        var language: String?
        var sample: VoiceSample?
        var seed: UInt32
    }

    struct Facts {
        /// Hz
        var sampleRate: Int
        /// Of samples to imitate, Hz; nil when the model imitates none.
        var sampleRateHeard: Int?
        /// English names, as in the vocabulary.
        var languages: [String]
    }

    /// Longest prompt and sound together: two and a half minutes of frames.
    private static let cells = 2048
    /// Prompt entries of one graph. Each also costs a row of logits as long as the vocabulary.
    private static let batch = 64

    let facts: Facts
    private let family: LlamaSpeechFamily
    private let context: LlamaContext
    private let vocabulary: Vocabulary
    private let projector: SpeechProjector
    private let abortHandle: AbortHandle
    private let generator: OpaquePointer
    /// What libmtmd's random numbers were started with last.
    private var lastSeed = UInt32.max
    /// How often the reading of a sample was stopped halfway. Part of the samples' names: what libmtmd kept then is worth nothing.
    private var stops = 0

    /// Loads both files and makes one frame, so that what does not fit together shows now. Throws ``APIError``.
    init(_ files: LlamaSpeechFiles, threads: Int, gpuLayers: Int, lane: any ComputeLane, progress: @escaping @Sendable (Double) -> Void)
        throws
    {
        let model = try LlamaModel(path: files.model, placement: ModelPlacement(gpuLayers: gpuLayers)) { progress($0 * 0.6) }
        guard let vocabulary = Vocabulary(of: model) else { throw APIError.unusableVoice(files.model, "it has no vocabulary") }
        abortHandle = AbortHandle(lane: lane)
        let shape = LlamaContext.Shape(
            cells: Self.cells, sequences: 1, batch: Self.batch, outputs: Self.batch, threads: threads, unified: true, embeddings: true)
        context = try LlamaContext(model: model, shape: shape, abortHandle: abortHandle)
        projector = try SpeechProjector(
            path: files.projector, model: model, threads: threads, gpu: gpuLayers != 0, abortHandle: abortHandle)
        guard let generator = mtmd_helper_gen_audio_init(context.handle, projector.handle) else {
            throw APIError.unusableVoice(files.projector, "libmtmd makes no sound with it")
        }
        self.generator = generator
        self.vocabulary = vocabulary
        family = files.family
        facts = Facts(
            sampleRate: projector.sampleRate, sampleRateHeard: projector.sampleRateHeard,
            languages: family.takesLanguage ? Self.languages(vocabulary) : [])
        progress(0.8)
        do {
            let idle = SpeechCancellation(request: CancellationToken(), stream: CancellationToken())
            try speak("Hello.", VoiceSettings(language: facts.languages.first, seed: 0), seed: 0, most: 1, cancellation: idle) { _ in }
        } catch let error as APIError {
            throw APIError.unusableVoice(files.model, error.message)
        }
    }

    deinit { mtmd_helper_gen_audio_free(generator) }

    private static func languages(_ vocabulary: Vocabulary) -> [String] {
        (0..<Token(clamping: vocabulary.count)).compactMap { token in
            let text = vocabulary.name(of: token)
            guard text.hasPrefix("<|codec_language_"), text.hasSuffix("|>") else { return nil }
            return String(text.dropFirst("<|codec_language_".count).dropLast(2))
        }
    }

    var maxConcurrency: Int { 1 }

    func prepare(_ unit: SpeechText.Unit, _ settings: VoiceSettings) -> PreparedUnit<String> {
        let hasWords = unit.text.contains { $0.isLetter || $0.isNumber }
        return PreparedUnit(script: hasWords ? unit.text : nil, symbols: unit.text.unicodeScalars.count)
    }

    /// The abortHandle holds the lane, for a stage of a graph at a time.
    func takeTurn(of count: Int, _ turn: () -> Void) { turn() }

    func speak(_ script: String, at index: Int, _ settings: VoiceSettings, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void)
        throws
    {
        // Every unit has random numbers of its own, and none has those of chance: that is what the highest number stands for.
        let seed = (settings.seed &+ UInt32(truncatingIfNeeded: index)) % .max
        // Two seconds, and a third of a second for each character: speech that does not end by itself is cut there.
        try speak(script, settings, seed: seed, most: 25 + 4 * script.unicodeScalars.count, cancellation: cancellation, emit: emit)
    }

    private func speak(
        _ text: String, _ settings: VoiceSettings, seed: UInt32, most: Int, cancellation: SpeechCancellation, emit: ([Float]) throws -> Void
    ) throws {
        try prepare(text, settings, seed: seed, cancellation)
        try renewRandomNumbers(seed, cancellation)
        let sampler = family == .qwen3tts ? try CodeSampler(vocabulary, seed: seed) : nil
        let room = min(most, Self.cells - Int(context.nextPosition(of: 0)))
        var state = UnsafePointer(context.embedding(at: -1))
        var sent = 0
        for frame in 1...max(1, room) {
            let code = sampler?.sample(context) ?? LLAMA_TOKEN_NULL
            var next: UnsafePointer<Float>?
            var isOver = false
            try compute("making a frame", cancellation) { mtmd_helper_gen_audio_step_gen(generator, code, state, &next, &isOver) }
            guard !isOver, next != nil else { break }
            state = next
            try emit(family.hasSound(after: frame) ? sound(from: &sent, cancellation) : [])
        }
        try emit(sound(from: &sent, cancellation))
    }

    /// Reads the text, and before it the sample.
    private func prepare(_ text: String, _ settings: VoiceSettings, seed: UInt32, _ cancellation: SpeechCancellation) throws {
        context.clearAll()
        let sample = settings.sample.flatMap { mtmd_bitmap_init_from_audio($0.samples.count, $0.samples) }
        defer { mtmd_bitmap_free(sample) }
        if let sample, let id = settings.sample?.id { mtmd_bitmap_set_id(sample, "\(stops):\(id)") }
        // What looks like a control token is text like any other.
        let text = text.replacing("<|", with: "< |")
        try text.withCString { characters in
            try withOptionalCString(settings.language) { language in
                var input = mtmd_helper_gen_audio_inp()
                input.prompt = characters
                input.prompt_len = text.utf8.count
                input.speaker_ref = sample
                input.lang = language
                input.seed = seed
                input.out_type = MTMD_HELPER_GEN_AUDIO_OUTTYPE_PCM
                defer { if abortHandle.wasAborted { stops += 1 } }
                try compute("reading the text or the sample", cancellation) { mtmd_helper_gen_audio_set_input(generator, &input) }
            }
        }
        var isLeft = true
        while isLeft {
            try compute("reading the text", cancellation) {
                let left = mtmd_helper_gen_audio_step_prompt(generator, Int32(Self.batch))
                isLeft = left > 0
                return min(left, 0)
            }
        }
    }

    /// libmtmd starts its random numbers anew when it gets another seed than the last time: for the same one again, it gets
    /// another in between, with a frame that nobody hears.
    private func renewRandomNumbers(_ seed: UInt32, _ cancellation: SpeechCancellation) throws {
        defer { lastSeed = seed }
        guard seed == lastSeed else { return }
        var state = [Float](repeating: 0, count: context.model.inputWidth)
        try state.withUnsafeMutableBufferPointer { state in
            var input = mtmd_gen_inp_default(projector.handle)
            input.seed = seed ^ 1
            input.embd = state.baseAddress
            var output = mtmd_gen_out()
            try compute("starting a frame", cancellation) { mtmd_gen_audio_process(projector.handle, &input, &output) }
        }
    }

    /// The samples made since `sent`, which moves on behind them.
    private func sound(from sent: inout Int, _ cancellation: SpeechCancellation) throws -> [Float] {
        var rate: Int32 = 0
        var bytes: UnsafePointer<CChar>?
        var length = 0
        try compute("making sound", cancellation) { mtmd_helper_gen_audio_get_output(generator, &rate, &bytes, &length, nil) }
        defer { sent = max(sent, length / MemoryLayout<Float>.stride) }
        let samples = UnsafeRawBufferPointer(start: bytes, count: length).bindMemory(to: Float.self)
        return Array(samples.dropFirst(sent))
    }

    /// Runs a call that computes while holding the lane. Throws when it fails, and when it was stopped halfway.
    private func compute(_ what: String, _ cancellation: SpeechCancellation, _ call: () -> Int32) throws {
        LlamaLog.clearErrors()
        let status = abortHandle.run(for: [cancellation.request], slicing: true, call)
        try cancellation.check()
        guard status == 0 else {
            throw APIError(.internalError, "The speech model failed at \(what)\(LlamaLog.firstError.map { ": \($0)" } ?? "").")
        }
    }
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) throws -> Result) rethrows -> Result {
    guard let text else { return try body(nil) }
    return try text.withCString(body)
}
