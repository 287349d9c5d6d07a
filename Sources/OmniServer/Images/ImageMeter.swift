import OmniAPI
import OmniEngine

/// Counts requests for pictures, in the families of API.md, section 18.
struct ImageMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String
    let turnstile: Turnstile

    private static let images = MetricsRegistry.Family.counter("vllm_omni:image_count_total", "Pictures drawn.")
    private static let steps = MetricsRegistry.Family.histogram(
        "vllm_omni:num_inference_steps", "Denoising steps of requests.", buckets: [1, 2, 4, 8, 12, 20, 30, 50, 100, 200])
    private static let pixels = MetricsRegistry.Family.histogram(
        "vllm_omni:image_pixels", "Pixels of a picture.", buckets: [65536, 262_144, 589_824, 1_048_576, 2_097_152, 4_194_304, 33_177_600])

    /// Brackets the time until a job has its turn.
    func waiting<Value>(_ body: () async throws -> Value) async throws -> Value {
        registry.add(.requestsWaiting, 1, labels: ["model_name": modelName])
        defer { registry.add(.requestsWaiting, -1, labels: ["model_name": modelName]) }
        let start = ContinuousClock.now
        let value = try await body()
        registry.observe(.requestQueueWait, (ContinuousClock.now - start) / .seconds(1), labels: ["model_name": modelName])
        return value
    }

    /// Brackets a whole job.
    func running<Value>(_ job: ImageJob, _ body: () async throws -> Value) async throws -> Value {
        let start = ContinuousClock.now
        registry.add(.requestsRunning, 1, labels: ["model_name": modelName])
        defer { registry.add(.requestsRunning, -1, labels: ["model_name": modelName]) }
        do {
            let value = try await body()
            registry.add(.requestsSucceeded, labels: ["model_name": modelName, "finished_reason": "stop"])
            registry.add(Self.images, Double(job.count), labels: ["model_name": modelName])
            registry.observe(.requestLatency, (ContinuousClock.now - start) / .seconds(1), labels: ["model_name": modelName])
            registry.observe(Self.pixels, Double(job.size.pixels), labels: ["model_name": modelName])
            if let steps = job.drawing.steps { registry.observe(Self.steps, Double(steps), labels: ["model_name": modelName]) }
            return value
        } catch {
            registry.add(.requestsFailed, labels: ["model_name": modelName, "reason": error is CancellationError ? "cancelled" : "error"])
            throw error
        }
    }
}
