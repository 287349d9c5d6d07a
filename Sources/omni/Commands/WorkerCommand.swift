import ArgumentParser
import Foundation
import Logging
import NIOPosix
import OmniDevices
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests
import OmniTensor
import OmniWorkerServer

/// `omni worker`: what the gateway starts for each model.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Serves one model on a Unix socket, for `omni serve`.",
        discussion: "It ends when its standard input is closed.")

    @Argument(help: "The GGUF file or the model folder.")
    var model: String

    @Option(help: "The kind of model.")
    var kind: String

    @Option(help: "The socket to listen on.")
    var socket: String

    @Option(help: "The name that replies carry.")
    var servedModelName: String

    @Option(help: "The folder of the compute lanes.")
    var laneDir: String

    @Option(help: "The projector for pictures and sound.")
    var mmproj: String?

    @Option(help: "The folder of the GGUFs that are made of checkpoints.")
    var conversionDir: String?

    @Option(help: "Adapters of the model in memory at once; none are taken without it.")
    var maxLoras: Int?

    @Option(help: "Largest rank of an adapter.")
    var maxLoraRank: Int?

    @Option(help: "Largest request body, bytes.")
    var maxBodySize = 64 << 20

    @OptionGroup var engine: EngineFlags
    @OptionGroup var log: LogFlags

    func run() async throws {
        log.bootstrap()
        var logger = Logger(label: "worker")
        logger[metadataKey: "model"] = .string(servedModelName)
        do { _ = try KernelVariant.chosen() } catch let error as TensorError { throw Failure(error.description) }
        let metrics = MetricsRegistry()
        // Videos take minutes: whoever waits for a word or a picture goes first, four fifths of the time if need be.
        let yieldInterval = kind == ModelKind.video.rawValue ? Duration.milliseconds(200) : .zero
        let devices: WorkerDevices
        do {
            let known = ModelKind(rawValue: kind)
            let usesLibllama =
                known.map { [.text, .embedding, .classifier].contains($0) } ?? false || (known == .speech && model.hasSuffix(".gguf"))
            devices = try WorkerDevices(kind: known, usesLibllama: usesLibllama, flags: engine)
        } catch let error as UnknownDevice {
            throw Failure("--device: \(error)")
        }
        metrics.beforeText { [servedModelName] in devices.report(to: $0, modelName: servedModelName) }
        let makeLane: @Sendable () throws -> JoinedLane = { [laneDir] in
            try JoinedLane(devices.lanes.map { try FileLane(directory: laneDir, device: $0, yieldInterval: yieldInterval) })
        }
        let lane = try makeLane()
        let muxing = MuxingOptions(
            lane: try FileLane(directory: laneDir, device: "cpu", yieldInterval: yieldInterval),
            threads: engine.threads ?? min(4, Processors.current.threads))
        let fetcher = MediaURLFetcher(group: MultiThreadedEventLoopGroup.singleton, allowedDomains: engine.allowedMediaDomains)
        let server = WorkerServer(
            socket: socket, limits: .init(maxBodySize: maxBodySize), images: engine.imageLimits, fetcher: fetcher, muxing: muxing,
            audio: .transcription(bytes: engine.limitMmBytes ?? maxBodySize, seconds: engine.limitMmSeconds), logger: logger)
        try await server.run(servedName: servedModelName, metrics: metrics) { [logger] progress in
            try await EngineLoader(command: self, lane: lane, makeLane: makeLane, fetcher: fetcher, logger: logger).load(progress: progress)
        }
    }
}
