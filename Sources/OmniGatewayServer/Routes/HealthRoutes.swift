import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP

/// `/health` and its kin, `/version`, `/load`, `/metrics`.
struct HealthRoutes: RouteGroup {
    let gateway: Gateway
    let runner: JobRunner
    let metrics: MetricsRegistry
    let version: String

    func add(to table: inout RouteTable) {
        let health = RouteDoc("Whether any model serves, and the state of each.", .server)
            .answers(HealthReply.self).answers(HealthReply.self, status: 503, "No model can serve now.")
        table.add(.get, "/health", health) { _, _ in
            Self.healthReply(gateway)
        }
        let live = RouteDoc("Whether the process runs.", .server).answers(HealthReply.self)
        table.add(.get, "/health/live", live) { _, _ in .json(["status": "alive"]) }
        let ready = RouteDoc("Whether every model is up; while loading 503 with the progress in percent.", .server)
            .answers(ReadinessReply.self).answers(ReadinessReply.self, status: 503, "Some model is not up yet.")
        table.add(.get, "/health/ready", ready) { _, _ in
            let report = gateway.currentHealth
            var response = Response(
                status: .init(code: report.readyStatus), headers: [.contentType: "application/json"],
                body: .init(byteBuffer: report.readyBody))
            if report.readyStatus == 503 { response.headers[.retryAfter] = "1" }
            return response
        }
        for method in [HTTPRequest.Method.get, .post] {
            table.add(method, "/ping", RouteDoc("Nothing, quickly.", .server).answersNothing("Nothing.")) { _, _ in Response(status: .ok) }
        }
        table.add(.get, "/version", RouteDoc("The server's version.", .server).answers(VersionReply.self)) { _, _ in
            .json(["version": .string(version)])
        }
        table.add(.get, "/load", RouteDoc("Requests under way.", .server).answers(LoadReply.self)) { _, _ in
            .json(["server_load": .int(gateway.outstanding)])
        }
        let metrics = RouteDoc("Prometheus metrics of the gateway and its workers.", .server).answers(
            .text, as: "text/plain", "Prometheus' text format.")
        table.add(.get, "/metrics", metrics) { _, _ in
            .text(await mergedMetrics(), contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }

    /// `/health` answered before routing: load balancers ask it all the time.
    static func healthReply(_ gateway: Gateway) -> Response {
        let report = gateway.currentHealth
        return Response(
            status: .init(code: report.status), headers: [.contentType: "application/json"], body: .init(byteBuffer: report.body))
    }

    /// Ours, those of the video jobs, and those of every local worker that serves.
    private func mergedMetrics() async -> String {
        let workers = gateway.catalogue.entries.filter { $0.kind != nil && $0.backend.status.state == .ready }
        let texts = await withTaskGroup(of: String?.self) { group in
            for entry in workers {
                group.addTask {
                    let request = UpstreamRequest(method: "GET", path: "/metrics", headers: [])
                    guard let reply = try? await entry.backend.send(request), let body = try? await reply.text(upTo: 4 << 20) else {
                        return nil
                    }
                    return body
                }
            }
            return await group.reduce(into: [String]()) { if let text = $1 { $0.append(text) } }
        }
        metrics.reportMachine()
        return MetricsRegistry.merge([metrics.text, await runner.metrics()] + texts)
    }
}
