import Foundation
import Logging
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests
import ServiceLifecycle

/// The worker process: one model behind a Unix socket. It ends when its standard input does, which the gateway holds open.
public struct WorkerServer: Sendable {
    public var socket: String
    public var limits: RequestLimits
    public var images: ImageRequestLimits
    public var fetcher: any MediaFetcher
    public var muxing: MuxingOptions
    /// Limits on sound that is to be written down.
    public var audio: AudioLimits
    public var logger: Logger

    public init(
        socket: String, limits: RequestLimits, images: ImageRequestLimits, fetcher: any MediaFetcher,
        muxing: MuxingOptions = MuxingOptions(),
        audio: AudioLimits = .transcription(bytes: nil, seconds: nil), logger: Logger
    ) {
        self.socket = socket
        self.limits = limits
        self.images = images
        self.fetcher = fetcher
        self.muxing = muxing
        self.audio = audio
        self.logger = logger
    }

    /// Listens at once, loads the model beside, and serves it.
    public func run(
        servedName: String, metrics: MetricsRegistry,
        load: @escaping @Sendable (_ progress: @escaping @Sendable (Double) -> Void) async throws -> any ServedModel
    ) async throws {
        Self.endWithStandardInput()
        // The gateway alone decides when a worker ends: a signal to the whole process group must let running answers finish.
        signal(SIGINT, SIG_IGN)
        signal(SIGTERM, SIG_IGN)
        let worker = WorkerModel(servedName: servedName)
        let listener = HTTPListener(
            configuration: .init(address: .unix(path: socket), limits: limits, isPublic: false, connections: .none),
            routes: WorkerRoutes(worker: worker, metrics: metrics, fetcher: fetcher, images: images, muxing: muxing, audio: audio)
                .table,
            metrics: HTTPMetrics(registry: MetricsRegistry()), logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let service = try listener.service(group: group) { _ in }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await service.run() }
            tasks.addTask {
                do {
                    worker.state = .ready(try await load { worker.state = .loading($0) })
                } catch {
                    worker.state = .failed(reason: (error as? APIError)?.fullMessage ?? "\(error)")
                }
            }
            try await tasks.waitForAll()
        }
    }

    private static func endWithStandardInput() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(0, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { _exit(0) }
            }
        }
    }
}
