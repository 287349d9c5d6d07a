import OmniEngine

/// What every server counts about its requests.
public struct HTTPMetrics: Sendable {
    public let registry: MetricsRegistry

    public init(registry: MetricsRegistry) { self.registry = registry }

    private static let requests = MetricsRegistry.Family.counter("http_requests_total", "Requests by handler, method and status.")
    private static let duration = MetricsRegistry.Family.histogram(
        "http_request_duration_seconds", "Time from the request's head to the reply's end.")

    func record(method: String, path: String, status: Int, seconds: Double) {
        registry.add(Self.requests, labels: ["handler": path, "method": method, "status": String(status)])
        registry.observe(Self.duration, seconds, labels: ["handler": path, "method": method])
    }
}
