import OmniAPI
import OmniEngine

/// Counts requests for pictures, in the families of API.md, section 18.
struct ImageMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String

    private static let images = MetricsRegistry.Family.counter("vllm_omni:image_count_total", "Pictures drawn.")
    private static let steps = MetricsRegistry.Family.histogram(
        "vllm_omni:num_inference_steps", "Denoising steps of requests.", buckets: [1, 2, 4, 8, 12, 20, 30, 50, 100, 200])
    private static let pixels = MetricsRegistry.Family.histogram(
        "vllm_omni:image_pixels", "Pixels of a picture.", buckets: [65536, 262_144, 589_824, 1_048_576, 2_097_152, 4_194_304, 33_177_600])

    private var labels: KeyValuePairs<String, String> { ["model_name": modelName] }

    /// Brackets the time until a job has its turn.
    func waiting<Value>(_ body: () async throws -> Value) async throws -> Value {
        registry.add(.requestsWaiting, 1, labels: labels)
        defer { registry.add(.requestsWaiting, -1, labels: labels) }
        let start = ContinuousClock.now
        let value = try await body()
        registry.observe(.requestQueueWait, (ContinuousClock.now - start) / .seconds(1), labels: labels)
        return value
    }

    /// Counts a job that has its turn as running, as long as the result is held.
    func running() -> Running { Running(registry: registry, modelName: modelName) }

    final class Running: Sendable {
        private let registry: MetricsRegistry
        private let modelName: String

        fileprivate init(registry: MetricsRegistry, modelName: String) {
            (self.registry, self.modelName) = (registry, modelName)
            registry.add(.requestsRunning, 1, labels: ["model_name": modelName])
        }

        deinit { registry.add(.requestsRunning, -1, labels: ["model_name": modelName]) }
    }

    /// Counts how a job ends; `arrived` is when it was asked for, before it waited.
    func ending<Value>(_ job: ImageJob, arrived: ContinuousClock.Instant, _ body: () async throws -> Value) async throws -> Value {
        let value = try await failing(body)
        registry.add(.requestsSucceeded, labels: ["model_name": modelName, "finished_reason": "stop"])
        registry.add(Self.images, Double(job.count), labels: labels)
        registry.observe(.requestLatency, (ContinuousClock.now - arrived) / .seconds(1), labels: labels)
        registry.observe(Self.pixels, Double(job.size.pixels), labels: labels)
        if let steps = job.drawing.steps { registry.observe(Self.steps, Double(steps), labels: labels) }
        return value
    }

    /// Counts a failure of `body`.
    func failing<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            registry.add(.requestsFailed, labels: ["model_name": modelName, "reason": error is CancellationError ? "cancelled" : "error"])
            throw error
        }
    }
}
