import Foundation
import OmniEngine
import OmniTensor
import Synchronization

/// Sound of Qwen2.5-Omni's codes: a flow-matching transformer that makes spectrograms, and a vocoder. Loaded once, for any number of streams.
///
/// Every call blocks while it computes: never from the cooperative pool. One graph runs at a time; other streams wait for its end.
public final class Token2Wav: Sendable {
    /// Sorted by name; the first is the default.
    public let voices: [Token2WavVoice]
    /// Where a stream's settings are left open.
    public let defaults: Token2WavSettings

    let config: Token2WavConfig
    let backend: Backend
    let transformer: FlowTransformer
    let vocoder: Vocoder
    /// What the speaker encoder makes of a spectrogram of zeros.
    let encodedSilence: [Float]
    private let speakers: [String: Speaker]
    let time: TimeNetwork
    private let stores: [WeightStore]
    private let gate = Mutex<Void>(())
    private let known: Mutex<[(FlowSchedule, Modulations)]>

    /// A voice as the transformer wants it.
    struct Speaker: Sendable {
        let voice: Token2WavVoice
        /// As the encoder has it, and its own embedding.
        let encoded, condition: [Float]
    }

    /// Whether a folder holds a model with voices: `token2wav_config` in `config.json`, and `spk_dict.pt` or `.safetensors`.
    public static func isPresent(in folder: String) -> Bool {
        SpeakerFile.path(in: folder) != nil && (try? Token2WavConfig(folder: folder)) != nil
    }

    /// Loads the tensors under `token2wav.` of a published folder, and its voices.
    ///
    /// - Parameter progress: called now and then, from any thread, with bytes read and bytes in all.
    /// - Throws: ``Token2WavError`` or ``TensorError`` that names the file and the tensor: missing, of another shape, or unknown.
    public convenience init(
        folder: String, options: Token2WavOptions = Token2WavOptions(),
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        try self.init(
            folder: folder, options: options, backend: Backend(threads: options.threads, useGPU: options.useGPU), progress: progress)
    }

    init(
        folder: String, options: Token2WavOptions, backend: Backend,
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        try options.settings.check()
        self.backend = backend
        config = try Token2WavConfig(folder: folder)
        let (flow, sound) = (config.transformer, config.vocoder)
        let sources = try SpeakerFile(folder: folder, width: flow.voiceWidth, bands: flow.mel).speakers
        let files = try WeightFiles(path: folder)
        try TensorNames(config).check(files, flow)
        let loading = Token2WavLoading(files: files, backend: backend, isFast: options.rounding == .fast, progress: progress)
        let executor = try Executor(backend, capacity: 8192)
        let encoder = try SpeakerEncoder(flow, loading.encoder())
        func encoded(_ sample: [Float], _ frames: Int) throws -> [Float] {
            try executor.evaluate(ComputeScope()) { graph in [try encoder(graph, graph.input([flow.mel, frames], sample))] }[0]
        }
        let all = try sources.map { source in
            Speaker(
                voice: Token2WavVoice(name: source.name, beginToken: source.beginToken),
                encoded: try encoded(source.sample, source.frames), condition: source.condition)
        }
        let frames = sources[0].frames
        encodedSilence = try encoded([Float](repeating: 0, count: flow.mel * frames), frames)
        // A third of the transformer: read once for the schedule that most streams take, and given back before the rest comes.
        let times = try loading.times()
        time = try TimeNetwork(flow, times)
        let usual = FlowSchedule(options.settings)
        known = try Mutex([(usual, time(executor, ComputeScope(), times: usual.times))])
        times.releaseMappedPages()
        let layers = try loading.layers()
        transformer = try FlowTransformer(flow, layers, frequencies: layers.values(TensorNames.frequencies))
        guard let exact = try loading.vocoder(sound, isExact: true) else { throw TensorError.missing(tensor: "conv_pre", among: folder) }
        let wide = try loading.vocoder(sound, isExact: false)
        vocoder = try Vocoder(sound, exact: exact, wide: wide ?? exact)
        stores = [times, layers, exact] + (wide.map { [$0] } ?? [])
        voices = all.map(\.voice)
        speakers = Dictionary(all.map { ($0.voice.name.lowercased(), $0) }) { first, _ in first }
        defaults = options.settings
    }

    /// Hz.
    public var sampleRate: Int { Token2WavConfig.sampleRate }
    /// Samples of a code.
    public var samplesPerCode: Int { config.transformer.repeats * config.vocoder.hop }
    public var codesPerSecond: Double { Double(sampleRate) / Double(samplesPerCode) }
    /// Codes are 0 ..< this.
    public var codeCount: Int { config.transformer.codes }

    /// Names that other programs gave the published voices.
    private static let older = ["f030": "chelsie", "m02": "ethan"]

    /// The voice of that name, whatever its case; `f030` and `m02` are Chelsie and Ethan.
    ///
    /// - Throws: ``Token2WavError/unknownVoice(_:known:)``.
    public func voice(named name: String) throws -> Token2WavVoice { try speaker(name).voice }

    func speaker(_ name: String) throws -> Speaker {
        let key = name.lowercased()
        guard let found = speakers[key] ?? Self.older[key].flatMap({ speakers[$0] }) else {
            throw Token2WavError.unknownVoice(name, known: voices.map(\.name))
        }
        return found
    }

    func check(_ codes: [Int32]) throws {
        guard let odd = codes.first(where: { !(0..<codeCount).contains(Int($0)) }) else { return }
        throw Token2WavError.invalid(parameter: "codes", reason: "must be 0 to \(codeCount - 1), but one is \(odd)")
    }

    /// Starts an utterance; computes nothing yet.
    ///
    /// - Parameter scope: the lane that graphs hold, in slices of at most about 50 ms, and what ends them.
    /// - Throws: ``Token2WavError`` for an unknown voice or settings out of range.
    public func stream(voice: String, settings: Token2WavSettings? = nil, scope: ComputeScope = ComputeScope()) throws -> Token2WavStream {
        let settings = settings ?? defaults
        try settings.check()
        return try Token2WavStream(self, speaker(voice), settings, scope)
    }

    /// All at once, as the reference does: one window for the whole utterance, whose memory grows with its length.
    ///
    /// - Throws: as ``stream(voice:settings:scope:)`` and ``Token2WavStream/append(_:)``.
    public func decode(_ codes: [Int32], voice: String, settings: Token2WavSettings? = nil, scope: ComputeScope = ComputeScope()) throws
        -> [Float]
    {
        var report = Token2WavReport()
        return try decode(codes, voice: voice, settings: settings ?? defaults, scope: scope, &report)
    }

    /// What decoding all at once takes.
    package func measure(_ codes: [Int32], voice: String, settings: Token2WavSettings, scope: ComputeScope) throws -> Token2WavReport {
        var report = Token2WavReport()
        _ = try decode(codes, voice: voice, settings: settings, scope: scope, &report)
        return report
    }

    private func decode(_ codes: [Int32], voice: String, settings: Token2WavSettings, scope: ComputeScope, _ report: inout Token2WavReport)
        throws
        -> [Float]
    {
        try settings.check()
        try check(codes)
        let frames = codes.count * config.transformer.repeats
        guard frames <= config.transformer.positions else {
            throw Token2WavError.invalid(
                parameter: "codes", reason: "must be at most \(config.transformer.positions / config.transformer.repeats)")
        }
        if codes.isEmpty { return [] }
        let run = try FlowRun(self, settings, scope)
        var noise = NoiseLine(seed: settings.seed, bands: config.transformer.mel)
        return try run.sound(run.spectrogram(codes, speaker(voice), noise: noise(0..<frames), &report), &report)
    }

    // MARK: memory

    /// Bytes of the weights, those in mapped files included.
    public var weightBytes: Int { stores.reduce(0) { $0 + $1.byteCount } }

    /// Bytes that a stream takes beside the weights, at most.
    public func streamBytes(_ settings: Token2WavSettings) throws -> Int {
        try settings.check()
        let schedule = FlowSchedule(settings)
        let table = schedule.times.count * (6 * config.transformer.layers + 2) * config.transformer.hidden * MemoryLayout<Float>.size
        return try FlowRun(self, settings, ComputeScope()).price(frames: plan.most).total + table
    }

    // MARK: what streams share

    var plan: ChunkPlan { ChunkPlan(block: config.transformer.block) }

    /// Frames to either side that the vocoder sees: what lies farther away changes a sample by less than rounding does.
    var vocoderContext: Int { min(vocoder.reach, config.transformer.block) }
    /// Final frames whose sound waits for the next window: those behind them, which the vocoder sees, are not final yet. With half a block the sound
    /// is as near to the whole utterance's as with all that the vocoder sees.
    var heldBack: Int { config.transformer.block / 2 }

    /// One graph at a time: ggml's abort callback knows one token. Whoever is cancelled does not wait for the others.
    func alone<Result: Sendable>(_ scope: ComputeScope = ComputeScope(), _ body: () throws -> Result) throws -> Result {
        while true {
            try scope.cancellation.check()
            if let result = try gate.withLockIfAvailable({ _ in try body() }) { return result }
            Thread.sleep(forTimeInterval: 0.002)
        }
    }

    /// Of a schedule; those of the last few are kept.
    func modulations(_ schedule: FlowSchedule, _ executor: Executor, _ scope: ComputeScope) throws -> Modulations {
        if let found = known.withLock({ $0.first { $0.0 == schedule }?.1 }) { return found }
        let made = try alone(scope) { try time(executor, scope, times: schedule.times) }
        stores[0].releaseMappedPages()
        known.withLock { all in
            if all.contains(where: { $0.0 == schedule }) { return }
            if all.count >= Self.mostSchedules { all.removeFirst() }
            all.append((schedule, made))
        }
        return made
    }

    private static let mostSchedules = 4
}
