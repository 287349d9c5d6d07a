import Foundation
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests
import OmniStore
import ServiceLifecycle
import UnixSignals

/// The gateway process: listens, drains on SIGTERM and SIGINT, and ends its workers.
public struct GatewayServer: Sendable {
    public var listener: HTTPListener.Configuration
    /// How long running requests may go on after SIGTERM; `--drain-timeout`.
    public var drainTimeout: Duration
    public var version: String
    public var voices: VoiceResolver
    /// Where `/v1/responses` keeps its answers.
    public var responses: any ResponseStore = MemoryResponseStore()
    public var pipelines: [SpeechPipeline]
    public var videos: VideoJobService
    /// Pictures behind links; nil keeps them in a temporary folder.
    public var pictures: LinkedPictures?
    /// Limits on pictures, those asked for and those sent.
    public var images = ImageRequestLimits()
    /// Takes adapters while the server runs; nil where that is off.
    public var adapters: AdapterLoader?
    /// Requests may bring chat templates; `--trust-request-chat-template`.
    public var trustsChatTemplates = false
    public var webhooks: WebhookSender
    /// Whether `/docs` and `/openapi.json` are there; `--disable-fastapi-docs`.
    public var servesReference = true
    public var logger: Logger

    public init(
        listener: HTTPListener.Configuration, voices: VoiceResolver, pipelines: [SpeechPipeline], videos: VideoJobService,
        webhooks: WebhookSender, drainTimeout: Duration,
        version: String, logger: Logger
    ) {
        self.videos = videos
        self.webhooks = webhooks
        self.listener = listener
        self.voices = voices
        self.pipelines = pipelines
        self.drainTimeout = drainTimeout
        self.version = version
        self.logger = logger
    }

    /// Time that ending may take once the drain's is over: workers that do not end by themselves are killed after five seconds.
    private static let endLimit = Duration.seconds(15)

    /// Serves until told to stop. Throws ``APIError`` when the address cannot be bound; workers are ended either way. Once told to
    /// stop it returns within ``drainTimeout`` and some seconds, whatever hangs.
    public func run(_ gateway: Gateway, group: any EventLoopGroup, onRunning: @escaping @Sendable (Int) async -> Void) async throws {
        let limit = ShutdownLimit(drainTimeout + Self.endLimit)
        do {
            try await limit.run { try await serve(gateway, group: group, limit: limit, onRunning: onRunning) }
        } catch is ShutdownLimit.Overrun {
            logger.error(
                "the server ends although something in it has not", metadata: ["outstanding": .stringConvertible(gateway.outstanding)])
        }
    }

    private func serve(
        _ gateway: Gateway, group: any EventLoopGroup, limit: ShutdownLimit, onRunning: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let registry = MetricsRegistry()
        var routes = GatewayRoutes(
            gateway: gateway, voices: voices, pipelines: pipelines, videos: videos, responses: responses, images: images, metrics: registry,
            version: version)
        routes.trustsChatTemplates = trustsChatTemplates
        routes.adapters = adapters
        if let pictures { routes.pictures = pictures }
        routes.servesReference = servesReference
        routes.keys = listener.keys
        registry.beforeText { [keys = listener.keys] in keys.report(to: $0) }
        let listener = HTTPListener(
            configuration: listener, routes: routes.table, sockets: routes.sockets,
            metrics: HTTPMetrics(registry: registry), logger: logger
        ) { head in
            head.method == .get && head.path == "/health" ? HealthRoutes.healthReply(gateway) : nil
        }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        var configuration = ServiceGroupConfiguration(
            services: [
                Drain(gateway: gateway, limit: limit, logger: logger),
                VideoService(runner: videos.runner, webhooks: webhooks, logger: logger),
                try listener.service(group: group, onRunning: onRunning),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        configuration.maximumGracefulShutdownDuration = drainTimeout
        try await videos.runner.start()
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError {
            await videos.runner.stop()
            await gateway.shutdown()
            throw bindFailure(error)
        } catch is ServiceGroupError {
            // The drain's time ran out; what was still running has been cancelled.
            logger.warning("requests were still running when the drain's time was over")
        } catch is CancellationError {
            logger.warning("requests were still running when the drain's time was over")
        }
        await videos.runner.stop()
        await gateway.shutdown()
    }

    private func bindFailure(_ error: IOError) -> APIError {
        let place =
            switch listener.address {
            case .tcp(let host, let port): "\(host):\(port)"
            case .unix(let path): path
            }
        let remedy =
            error.errnoCode == EADDRINUSE
            ? "Another program listens there; choose another with --port, or end it." : "Check --host and --port."
        return APIError(.internalError, "Cannot listen on \(place): \(String(cString: strerror(error.errnoCode))).", remedy: remedy)
    }
}

/// Tells balancers, through `/health`, that the server is about to end.
private struct Drain: Service {
    let gateway: Gateway
    let limit: ShutdownLimit
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        limit.begin()
        logger.info("draining", metadata: ["outstanding": .stringConvertible(gateway.outstanding)])
        gateway.beginDraining()
    }
}
