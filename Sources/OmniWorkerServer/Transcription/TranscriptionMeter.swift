import OmniEngine

/// Counts transcriptions.
struct TranscriptionMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String

    private static let duration = MetricsRegistry.Family.histogram(
        "vllm_omni:transcription_duration_s", "Seconds of sound written down.", buckets: [1, 5, 15, 30, 60, 300, 900, 3600, 14_400])
    private static let realTimeFactor = MetricsRegistry.Family.histogram(
        "vllm_omni:transcription_rtf", "Seconds of work for a second of sound.",
        buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5])

    /// The same events, counted while they are read.
    func counting(_ events: AsyncThrowingStream<TranscriptionEvent, any Error>) -> AsyncThrowingStream<TranscriptionEvent, any Error> {
        let count = TranscriptionCount(events, meter: self)
        return AsyncThrowingStream { try await count.next() }
    }

    fileprivate func ended(_ counts: TranscriptionCounts, after seconds: Double) {
        registry.add(.requestsSucceeded, labels: ["model_name": modelName, "finished_reason": "stop"])
        registry.observe(.requestLatency, seconds, labels: ["model_name": modelName])
        registry.add(.promptTokens, Double(counts.promptTokens), labels: ["model_name": modelName])
        registry.add(.generationTokens, Double(counts.outputTokens), labels: ["model_name": modelName])
        registry.observe(Self.duration, counts.seconds, labels: ["model_name": modelName])
        if counts.seconds > 0 { registry.observe(Self.realTimeFactor, seconds / counts.seconds, labels: ["model_name": modelName]) }
    }

    /// It was refused, or broke off.
    func failed(_ error: any Error) {
        registry.add(.requestsFailed, labels: ["model_name": modelName, "reason": error is CancellationError ? "cancelled" : "error"])
    }
}

/// One transcription while it is read. One that nobody reads to its end counts as cancelled.
// @unchecked: the one reader of the stream calls `next`, and nobody else has the rest.
private final class TranscriptionCount: @unchecked Sendable {
    private var events: AsyncThrowingStream<TranscriptionEvent, any Error>.AsyncIterator
    private let meter: TranscriptionMeter
    private let began = ContinuousClock.now
    private var counts: TranscriptionCounts?
    private var isOver = false

    init(_ events: AsyncThrowingStream<TranscriptionEvent, any Error>, meter: TranscriptionMeter) {
        (self.events, self.meter) = (events.makeAsyncIterator(), meter)
    }

    deinit { end(.failure(CancellationError())) }

    func next() async throws -> TranscriptionEvent? {
        do {
            let event = try await events.next()
            if case .finished(let counts)? = event { self.counts = counts }
            if event == nil { end(counts.map { .success($0) } ?? .failure(CancellationError())) }
            return event
        } catch {
            end(.failure(error))
            throw error
        }
    }

    private func end(_ result: Result<TranscriptionCounts, any Error>) {
        guard !isOver else { return }
        isOver = true
        switch result {
        case .success(let counts): meter.ended(counts, after: (ContinuousClock.now - began) / .seconds(1))
        case .failure(let error): meter.failed(error)
        }
    }
}
