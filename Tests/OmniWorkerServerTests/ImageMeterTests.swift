import OmniAPI
import OmniEngine
import OmniRequests
import Synchronization
import Testing

@testable import OmniWorkerServer

/// A model that draws when it is told to, one flat picture a request.
private final class HeldModel: ImageModel {
    let card = ModelCard(kind: .image, root: "")
    let imageDefaults = ImageJobTests.defaults
    let held = Mutex<[AsyncThrowingStream<ImageEvent, any Error>.Continuation]>([])

    func shutdown() async {}
    func price(_ request: ImageRequest) async throws -> ImagePrice { ImagePrice(bytes: 0) }

    func generate(_ request: ImageRequest, scope: RequestScope) async throws -> AsyncThrowingStream<ImageEvent, any Error> {
        guard request.prompt != "impossible" else { throw ImageModelError.invalid(parameter: "prompt", reason: "is impossible") }
        let (stream, events) = AsyncThrowingStream.makeStream(of: ImageEvent.self, throwing: (any Error).self)
        events.yield(.progress(.encodePrompt, step: 1, steps: 1))
        held.withLock { $0.append(events) }
        return stream
    }

    /// Ends the oldest request, with a picture or with an error.
    func finish(_ error: ImageModelError? = nil) {
        let events = held.withLock { $0.removeFirst() }
        if let error { return events.finish(throwing: error) }
        if let image = FloatImage(width: 16, height: 16, values: [Float](repeating: 0.5, count: 768)) {
            events.yield(.image(index: 0, image))
        }
        events.finish()
    }
}

@Suite("Figures of requests for pictures")
struct ImageMeterTests {
    private let registry = MetricsRegistry()
    private let model = HeldModel()
    private let service: ImageService

    init() {
        service = ImageService(
            model: model, modelName: "m", semaphore: AsyncSemaphore(), limits: ImageRequestLimits(queue: 1), fetcher: NoFetcher(),
            meter: ImageMeter(registry: registry, modelName: "m"))
    }

    private struct NoFetcher: MediaFetcher {
        func fetch(_ url: String, limit: Int, param: String) async throws -> [UInt8] {
            throw APIError.invalid(param, "There is no network here.")
        }
    }

    private func figure(_ name: String, _ labels: String = "model_name=\"m\"") -> Double? {
        registry.text.split(separator: "\n").first { $0.hasPrefix("vllm_omni:\(name){\(labels)} ") }.flatMap {
            $0.split(separator: " ").last.flatMap { Double($0) }
        }
    }

    private func draw(_ prompt: String = "x") -> Task<Void, any Error> {
        Task {
            var job = ImageJobTests.job(ImageSize(width: 16, height: 16))
            (job.prompt, job.count) = (prompt, 1)
            _ = try await service.draw(job, output: ImageOutput(), id: "r")
        }
    }

    @Test("who waits is not counted as running")
    func waitingAndRunning() async throws {
        let first = draw()
        try await AsyncSemaphoreTests.wait { figure("num_requests_running") == 1 && !model.held.withLock { $0.isEmpty } }
        let second = draw()
        try await AsyncSemaphoreTests.wait { figure("num_requests_waiting") == 1 }
        #expect(figure("num_requests_running") == 1)
        model.finish()
        try await first.value
        try await AsyncSemaphoreTests.wait { figure("num_requests_waiting") == 0 && !model.held.withLock { $0.isEmpty } }
        #expect(figure("num_requests_running") == 1)
        model.finish()
        try await second.value
        #expect(figure("num_requests_running") == 0)
        #expect(figure("requests_success_total", "model_name=\"m\",finished_reason=\"stop\"") == 2 && figure("image_count_total") == 2)
        #expect(figure("e2e_request_latency_s_count") == 2 && figure("request_queue_wait_s_count") == 2)
    }

    @Test("each way to fail is counted once, whether the request had its turn or not")
    func failures() async throws {
        let failed = { figure("requests_failed_total", "model_name=\"m\",reason=\"error\"") }
        await #expect(throws: ImageModelError.self) { try await draw("impossible").value }
        #expect(failed() == 1)
        let running = draw()
        try await AsyncSemaphoreTests.wait { !model.held.withLock { $0.isEmpty } }
        let waiting = draw()
        try await AsyncSemaphoreTests.wait { figure("num_requests_waiting") == 1 }
        await #expect(throws: APIError.self, "the queue is full") { try await draw().value }
        #expect(failed() == 2)
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(figure("requests_failed_total", "model_name=\"m\",reason=\"cancelled\"") == 1)
        model.finish(.notFinite(stage: "x", cause: "y"))
        await #expect(throws: ImageModelError.self) { try await running.value }
        #expect(failed() == 3 && figure("num_requests_running") == 0 && figure("num_requests_waiting") == 0)
        #expect(figure("requests_success_total", "model_name=\"m\",finished_reason=\"stop\"") == nil)
    }
}
