import Foundation
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniGateway
import ServiceLifecycle

/// The gateway process: listens, drains on SIGTERM and SIGINT, and ends its workers.
public struct GatewayServer: Sendable {
    public var listener: HTTPListener.Configuration
    /// How long running requests may go on after SIGTERM; `--drain-timeout`.
    public var drainTimeout: Duration
    public var version: String
    public var voices: VoiceDesk
    public var pipelines: [SpeechPipeline]
    public var films: VideoDesk
    public var webhooks: WebhookSender
    /// Whether `/docs` and `/openapi.json` are there; `--disable-fastapi-docs`.
    public var servesReference = true
    public var logger: Logger

    public init(
        listener: HTTPListener.Configuration, voices: VoiceDesk, pipelines: [SpeechPipeline], films: VideoDesk, webhooks: WebhookSender, drainTimeout: Duration,
        version: String, logger: Logger
    ) {
        self.films = films
        self.webhooks = webhooks
        self.listener = listener
        self.voices = voices
        self.pipelines = pipelines
        self.drainTimeout = drainTimeout
        self.version = version
        self.logger = logger
    }

    /// Serves until told to stop. Throws ``APIError`` when the address cannot be bound; workers are ended either way.
    public func run(_ gateway: Gateway, group: any EventLoopGroup, onRunning: @escaping @Sendable (Int) async -> Void) async throws {
        let registry = MetricsRegistry()
        var routes = GatewayRoutes(gateway: gateway, voices: voices, pipelines: pipelines, films: films, metrics: registry, version: version)
        routes.servesReference = servesReference
        let listener = HTTPListener(
            configuration: listener, routes: routes.table, sockets: routes.sockets,
            metrics: HTTPMetrics(registry: registry), logger: logger
        ) { head in
            head.method == .get && head.path == "/health" ? GatewayRoutes.healthReply(gateway) : nil
        }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        var configuration = ServiceGroupConfiguration(
            services: [
                Drain(gateway: gateway, logger: logger), VideoService(runner: films.runner, webhooks: webhooks, logger: logger), try listener.service(group: group, onRunning: onRunning),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        configuration.maximumGracefulShutdownDuration = drainTimeout
        try await films.runner.start()
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError {
            await films.runner.stop()
            await gateway.shutdown()
            throw bindFailure(error)
        } catch is ServiceGroupError {
            // The drain's time ran out; what was still running has been cancelled.
            logger.warning("requests were still running when the drain's time was over")
        } catch is CancellationError {
            logger.warning("requests were still running when the drain's time was over")
        }
        await films.runner.stop()
        await gateway.shutdown()
    }

    private func bindFailure(_ error: IOError) -> APIError {
        let place =
            switch listener.address {
            case .tcp(let host, let port): "\(host):\(port)"
            case .unix(let path): path
            }
        let remedy = error.errnoCode == EADDRINUSE ? "Another program listens there; choose another with --port, or end it." : "Check --host and --port."
        return APIError(.internalError, "Cannot listen on \(place): \(String(cString: strerror(error.errnoCode))).", remedy: remedy)
    }
}

/// Tells balancers, through `/health`, that the server is about to end.
private struct Drain: Service {
    let gateway: Gateway
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        logger.info("draining", metadata: ["outstanding": .stringConvertible(gateway.outstanding)])
        gateway.beginDraining()
    }
}
