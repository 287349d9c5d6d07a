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

    /// The same events, counted while they are read.
    func counting(_ generation: SpeechGeneration, isStreamed: Bool) -> SpeechGeneration {
        let count = SpeechCount(generation.events, isStreamed: isStreamed, meter: self)
        return SpeechGeneration(
            sampleRate: generation.sampleRate, ignored: generation.ignored, events: AsyncThrowingStream { try await count.next() })
    }

    fileprivate func firstSound(after seconds: Double) {
        Self.firstSound(after: seconds, registry, labels: ["model_name": modelName, "stage": "0", "replica": "0"])
    }

    static func firstSound(after seconds: Double, _ registry: MetricsRegistry, labels: KeyValuePairs<String, String>) {
        registry.observe(firstSound, seconds, labels: labels)
    }

    /// So many seconds of sound took so many of work.
    static func sound(_ sound: Double, in seconds: Double, _ registry: MetricsRegistry, labels: KeyValuePairs<String, String>) {
        registry.observe(duration, sound, labels: labels)
        if sound > 0 { registry.observe(realTimeFactor, seconds / sound, labels: labels) }
    }

    fileprivate func ended(_ usage: SpeechUsage, after seconds: Double, isStreamed: Bool) {
        registry.add(.requestsSucceeded, labels: ["model_name": modelName, "finished_reason": "stop"])
        if isStreamed { registry.add(Self.completed, labels: ["model_name": modelName]) }
        registry.observe(.requestLatency, seconds, labels: ["model_name": modelName])
        registry.add(.promptTokens, Double(usage.inputTokens), labels: ["model_name": modelName])
        registry.add(.generationTokens, Double(usage.outputTokens), labels: ["model_name": modelName])
        Self.sound(usage.seconds, in: seconds, registry, labels: ["model_name": modelName, "stage": "0", "replica": "0"])
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
    private let began = ContinuousClock.now
    private var hasSounded = false
    /// Comes last: without it the end was none.
    private var usage: SpeechUsage?
    private var isOver = false

    init(_ events: AsyncThrowingStream<SpeechEvent, any Error>, isStreamed: Bool, meter: SpeechMeter) {
        self.events = events.makeAsyncIterator()
        self.meter = meter
        self.isStreamed = isStreamed
    }

    deinit { end(.failure(CancellationError())) }

    private var seconds: Double { (ContinuousClock.now - began) / .seconds(1) }

    func next() async throws -> SpeechEvent? {
        do {
            let event = try await events.next()
            switch event {
            case .audio where !hasSounded:
                hasSounded = true
                meter.firstSound(after: seconds)
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
        case .success(let usage): meter.ended(usage, after: seconds, isStreamed: isStreamed)
        case .failure(let error): meter.failed(error, isStreamed: isStreamed)
        }
    }
}
