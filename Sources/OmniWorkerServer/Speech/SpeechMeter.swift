import OmniAPI
import OmniEngine

/// Counts requests for speech, in the families of API.md, section 18.
struct SpeechMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String

    private static let completed = MetricsRegistry.Family.counter(
        "vllm_omni:speech_stream_completed_total", "Streams that came to their end.")
    private static let aborted = MetricsRegistry.Family.counter("vllm_omni:speech_stream_aborted_total", "Streams that did not.")
    private static let firstSound = MetricsRegistry.Family.histogram("vllm_omni:audio_ttfp_s", "Seconds until the first sound.")
    private static let duration = MetricsRegistry.Family.histogram("vllm_omni:audio_duration_s", "Seconds of sound.")
    private static let realTimeFactor = MetricsRegistry.Family.histogram(
        "vllm_omni:audio_rtf", "Seconds of work for a second of sound.", buckets: [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5])

    private static let underruns = MetricsRegistry.Family.counter(
        "omni:audio_underruns_total", "Times that a listener who plays as it comes had heard all before more came.")

    /// The same events, counted while they are read.
    func counting(_ generation: SpeechGeneration, isStreamed: Bool) -> SpeechGeneration {
        let count = SpeechCount(generation.events, sampleRate: generation.sampleRate, isStreamed: isStreamed, meter: self)
        return SpeechGeneration(
            sampleRate: generation.sampleRate, ignored: generation.ignored, events: AsyncThrowingStream { try await count.next() })
    }

    fileprivate func firstSound(after seconds: Double) {
        Self.firstSound(after: seconds, registry, labels: ["model_name": modelName, "stage": "0", "replica": "0"])
    }

    static func firstSound(after seconds: Double, _ registry: MetricsRegistry, labels: KeyValuePairs<String, String>) {
        registry.observe(firstSound, seconds, labels: labels)
    }

    /// A whole answer's sound. `realTimeFactor`: seconds of work for a second of it; nil where there was none.
    static func sound(_ sound: PlayedSound, realTimeFactor: Double?, _ registry: MetricsRegistry, labels: KeyValuePairs<String, String>) {
        registry.observe(duration, sound.seconds, labels: labels)
        registry.add(underruns, Double(sound.underruns), labels: labels)
        if let realTimeFactor { registry.observe(Self.realTimeFactor, realTimeFactor, labels: labels) }
    }

    fileprivate func ended(_ usage: SpeechUsage, _ sound: PlayedSound, after seconds: Double, isStreamed: Bool) {
        registry.add(.requestsSucceeded, labels: ["model_name": modelName, "finished_reason": "stop"])
        if isStreamed { registry.add(Self.completed, labels: ["model_name": modelName]) }
        registry.observe(.requestLatency, seconds, labels: ["model_name": modelName])
        registry.add(.promptTokens, Double(usage.inputTokens), labels: ["model_name": modelName])
        registry.add(.generationTokens, Double(usage.outputTokens), labels: ["model_name": modelName])
        let factor = usage.seconds > 0 ? seconds / usage.seconds : nil
        Self.sound(sound, realTimeFactor: factor, registry, labels: ["model_name": modelName, "stage": "0", "replica": "0"])
    }

    /// It was refused, or broke off.
    func failed(_ error: any Error, isStreamed: Bool) {
        let reason = error is CancellationError ? "cancelled" : "error"
        registry.add(.requestsFailed, labels: ["model_name": modelName, "reason": reason])
        if isStreamed { registry.add(Self.aborted, labels: ["model_name": modelName, "reason": reason]) }
    }
}

/// One synthesis while it is read. One that nobody reads to its end counts as cancelled.
// @unchecked: the one reader of the stream calls `next`, and nobody else has the rest.
private final class SpeechCount: @unchecked Sendable {
    private var events: AsyncThrowingStream<SpeechEvent, any Error>.AsyncIterator
    private let meter: SpeechMeter
    private let isStreamed: Bool
    private let sampleRate: Int
    private let began = ContinuousClock.now
    private var sound = PlayedSound()
    /// Comes last: without it the end was none.
    private var usage: SpeechUsage?
    private var isOver = false

    init(_ events: AsyncThrowingStream<SpeechEvent, any Error>, sampleRate: Int, isStreamed: Bool, meter: SpeechMeter) {
        self.events = events.makeAsyncIterator()
        self.sampleRate = sampleRate
        self.meter = meter
        self.isStreamed = isStreamed
    }

    deinit { end(.failure(CancellationError())) }

    private var seconds: Double { (ContinuousClock.now - began) / .seconds(1) }

    func next() async throws -> SpeechEvent? {
        do {
            let event = try await events.next()
            switch event {
            case .audio(let samples):
                if sound.began == nil { meter.firstSound(after: seconds) }
                sound.add(Double(samples.count) / Double(sampleRate), at: seconds)
            case .usage(let counts): usage = counts
            case nil: end(usage.map { .success($0) } ?? .failure(CancellationError()))
            default: break
            }
            return event
        } catch {
            end(.failure(error))
            throw error
        }
    }

    private func end(_ result: Result<SpeechUsage, any Error>) {
        guard !isOver else { return }
        isOver = true
        switch result {
        case .success(let usage): meter.ended(usage, sound, after: seconds, isStreamed: isStreamed)
        case .failure(let error): meter.failed(error, isStreamed: isStreamed)
        }
    }
}
