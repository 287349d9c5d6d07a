import OmniAPI
import OmniEngine

/// Counts requests for pictures, in the families of API.md, section 18.
struct ImageMeter: Sendable {
    let registry: MetricsRegistry
    let modelName: String
    let turnstile: Turnstile

    private static let succeeded = MetricsRegistry.Family.counter("vllm_omni:requests_success_total", "Requests answered.")
    private static let failed = MetricsRegistry.Family.counter("vllm_omni:requests_failed_total", "Requests that ended with an error.")
    private static let images = MetricsRegistry.Family.counter("vllm_omni:image_count_total", "Pictures drawn.")
    private static let running = MetricsRegistry.Family.gauge("vllm_omni:num_requests_running", "Requests under way.")
    private static let waiting = MetricsRegistry.Family.gauge("vllm_omni:num_requests_waiting", "Requests that wait for their turn.")
    private static let latency = MetricsRegistry.Family.histogram("vllm_omni:e2e_request_latency_s", "Seconds from request to reply.")
    private static let queued = MetricsRegistry.Family.histogram("vllm_omni:request_queue_wait_s", "Seconds until a request got its turn.")
    private static let steps = MetricsRegistry.Family.histogram(
        "vllm_omni:num_inference_steps", "Denoising steps of requests.", buckets: [1, 2, 4, 8, 12, 20, 30, 50, 100, 200])
    private static let pixels = MetricsRegistry.Family.histogram(
        "vllm_omni:image_pixels", "Pixels of a picture.", buckets: [65536, 262_144, 589_824, 1_048_576, 2_097_152, 4_194_304, 33_177_600])

    /// Brackets the time until a job has its turn.
    func waiting<Value>(_ body: () async throws -> Value) async throws -> Value {
        registry.add(Self.waiting, 1, labels: ["model_name": modelName])
        defer { registry.add(Self.waiting, -1, labels: ["model_name": modelName]) }
        let start = ContinuousClock.now
        let value = try await body()
        registry.observe(Self.queued, (ContinuousClock.now - start) / .seconds(1), labels: ["model_name": modelName])
        return value
    }

    /// Brackets a whole job.
    func running<Value>(_ job: ImageJob, _ body: () async throws -> Value) async throws -> Value {
        let start = ContinuousClock.now
        registry.add(Self.running, 1, labels: ["model_name": modelName])
        defer { registry.add(Self.running, -1, labels: ["model_name": modelName]) }
        do {
            let value = try await body()
            registry.add(Self.succeeded, labels: ["model_name": modelName, "finished_reason": "stop"])
            registry.add(Self.images, Double(job.count), labels: ["model_name": modelName])
            registry.observe(Self.latency, (ContinuousClock.now - start) / .seconds(1), labels: ["model_name": modelName])
            registry.observe(Self.pixels, Double(job.size.pixels), labels: ["model_name": modelName])
            if let steps = job.drawing.steps { registry.observe(Self.steps, Double(steps), labels: ["model_name": modelName]) }
            return value
        } catch {
            registry.add(Self.failed, labels: ["model_name": modelName, "reason": error is CancellationError ? "cancelled" : "error"])
            throw error
        }
    }
}
