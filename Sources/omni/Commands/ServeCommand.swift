import ArgumentParser
import Foundation
import Logging
import NIOPosix
import OmniAPI
import OmniAccess
import OmniConversion
import OmniDevices
import OmniEngine
import OmniGateway
import OmniGatewayServer
import OmniHTTP
import OmniModels
import OmniStore
import OmniTensor

/// `omni serve`: the gateway and its workers. Flags have vLLM's names wherever vLLM has them.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serves models over the OpenAI-style API.",
        discussion:
            "Without a MODEL the starter models are served. A MODEL is a GGUF file, a folder of safetensors, diffusers or a voice, or a Hugging Face id found in the local cache."
    )

    @Argument(help: "Models to serve.")
    var models: [String] = []

    @Option(name: .customLong("model"), help: ArgumentHelp("As MODEL; vLLM has both.", visibility: .hidden))
    var modelOptions: [String] = []

    @Flag(help: "Omni mode; there is no other.")
    var omni = false

    @Option(help: "Address to listen on.")
    var host: String?

    @Option(help: "Port to listen on; 0 takes a free one.")
    var port: Int?

    @Option(help: "Listen on this Unix socket instead.")
    var uds: String?

    @Option(parsing: .upToNextOption, help: "Names of the one model on the command line.")
    var servedModelName: [String] = []

    @Option(help: ArgumentHelp("Largest request body, bytes.", valueName: "bytes"))
    var maxBodySize: Int?

    @Option(help: ArgumentHelp("A server elsewhere: NAME=http://host:port, several URLs apart by commas.", valueName: "name=url"))
    var backend: [String] = []

    @Option(help: ArgumentHelp("Unload a model after this long without requests; the next wakes it.", valueName: "seconds"))
    var idleUnload: Double?

    @Option(help: ArgumentHelp("Models loaded at once; who is idle makes room for who is asked. No limit by default.", valueName: "count"))
    var modelsMax: Int?

    @Option(help: ArgumentHelp("What loaded models may set aside together, bytes; no limit by default.", valueName: "bytes"))
    var modelsMemory: Int?

    @Option(
        help: ArgumentHelp(
            "How long running requests may go on after SIGTERM, or once a model is put to sleep; 30 by default.", valueName: "seconds"))
    var drainTimeout: Double?

    @Flag(help: "Serve no API reference: /docs and /openapi.json are 404.")
    var disableFastapiDocs = false

    @Flag(help: "Refuse requests with unknown fields.")
    var strictParams = false

    @Flag(help: "Take the names of OpenAI's models (gpt-4o-mini, whisper-1 …) for the default model of their kind.")
    var openaiAliases = false

    @Flag(help: "Take chat templates from requests; one can hang or end a worker.")
    var trustRequestChatTemplate = false

    @Option(help: "A YAML file with models, backends and flags.")
    var config: String?

    @Option(help: "The folder for data, sockets and lanes; $OMNI_HOME.")
    var dataDir: String?

    @Flag(help: "List the devices that --device may name, with their memory, and end.")
    var listDevices = false

    @OptionGroup var access: AccessFlags
    @OptionGroup var connections: ConnectionLimitFlags
    @OptionGroup var jobs: JobFlags
    @OptionGroup var engine: EngineFlags
    @OptionGroup var lora: LoRAFlags
    @OptionGroup var log: LogFlags

    func validate() throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port must be from 0 to 65535, not \(port).") }
        for (name, value) in [("--models-max", modelsMax), ("--models-memory", modelsMemory)] where (value ?? 1) < 1 {
            throw ValidationError("\(name) must be at least 1.")
        }
        if let maxBodySize, maxBodySize < 1 { throw ValidationError("--max-body-size must be at least 1.") }
        for (name, seconds) in [("--idle-unload", idleUnload), ("--drain-timeout", drainTimeout)] {
            // A year is for ever; more would not fit a Duration's arithmetic.
            if let seconds, !(0...31_536_000).contains(seconds) {
                throw ValidationError("\(name) must be from 0 to 31536000 seconds, not \(seconds).")
            }
        }
    }

    func run() async throws {
        if listDevices { return print(DeviceList.text) }
        log.bootstrap()
        let logger = Logger(label: "omni")
        do {
            try await serve(logger)
        } catch let error as StartError {
            throw Failure(error.description)
        } catch let error as APIError {
            throw Failure(error.fullMessage)
        } catch let error as ModelErrors {
            throw Failure(error.description)
        } catch let error as ConversionError {
            throw Failure(error.description)
        } catch let error as ModelError {
            throw Failure(error.description)
        } catch let error as ConfigurationError {
            throw Failure(error.description)
        } catch let error as TensorError {
            throw Failure(error.description)
        } catch let error as UnknownCPULibrary {
            throw Failure(error.description)
        }
    }

    private func serve(_ logger: Logger) async throws {
        // What its workers would end with.
        _ = try KernelVariant.chosen()
        _ = try CPULibrary.chosen()
        var plan = try ServePlan(command: self)
        if plan.servesStarters, try await StarterOffer(dataDirectory: dataDir).take(served: plan.models.map(\.id), logger) {
            plan = try ServePlan(command: self)
        }
        // Before it is read: what is written meanwhile is a change.
        let stamp = access.file?.stamp
        let keys = try access.store(configured: plan.keys)
        let pages = try access.pages(bound: uds == nil ? host ?? "127.0.0.1" : nil, keys: keys)
        if let file = access.file { KeysFile.warnIfReadable(file.path, logger) }
        if !plan.keys.isEmpty, let config { KeysFile.warnIfReadable(config, logger) }
        let data = try DataDirectory(dataDir)
        try plan.checkConversions(in: data.conversions, logger: logger)
        let libraries = plan.adapterLibraries(lora, in: data.conversions, logger: logger)
        let adapters = try plan.adapters(lora, in: libraries)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = UpstreamClient(group: group)
        let change = ChangeNotifier()
        let room = ModelRoom(models: modelsMax, bytes: modelsMemory)
        let workers = try plan.models.enumerated().map { place, model in
            try entry(model, place: place, engine: plan.engine, data: data, client: client, room: room, logger: logger, change: change)
        }
        let entries =
            workers
            + plan.backends.map { backend in
                CatalogueEntry(
                    id: backend.id, kind: nil,
                    backend: RemoteBackend(
                        id: backend.id, urls: backend.urls, apiKey: backend.apiKey, client: client, logger: logger, onChange: change.fire))
            }
        let gateway = Gateway(catalogue: try Catalogue(entries, takesOpenAINames: openaiAliases), client: client)
        for adapter in adapters { gateway.catalogue.adapters.put(adapter.module, on: try gateway.catalogue.entry(named: adapter.base)) }
        change.connect { gateway.refreshHealth() }
        room.start()
        for entry in entries { (entry.backend as? RemoteBackend)?.start() }
        let database = try Database(folder: data.url)
        let poster = MediaURLFetcher(group: group, allowedDomains: engine.allowedMediaDomains)
        let videos = try jobs.desk(
            database, folder: data.url, catalogue: gateway.catalogue, fetcher: poster, limits: engine.imageLimits, logger: logger)
        let webhooks = WebhookSender(
            store: SQLiteJobStore(database), poster: poster, secret: try JobFlags.webhookSecret(in: data.url), logger: logger)
        var server = GatewayServer(
            listener: .init(
                address: address, limits: .init(maxBodySize: maxBodySize ?? 64 << 20, strictParameters: strictParams), keys: keys,
                pages: pages, connections: connections.limits),
            voices: VoiceResolver(store: try SQLiteVoiceStore(database), aliases: plan.voices),
            pipelines: plan.pipelines.map { SpeechPipeline(id: $0.id, chat: $0.chat, speech: $0.speech) }, videos: videos,
            webhooks: webhooks, drainTimeout: .seconds(drainTimeout ?? 30), version: Version.number, logger: logger)
        server.responses = SQLiteResponseStore(database)
        server.images = engine.imageLimits
        server.pictures = LinkedPictures(folder: data.url.appending(path: "pictures"))
        server.trustsChatTemplates = trustRequestChatTemplate
        if lora.allowsUpdates { server.adapters = ServePlan.loader(of: libraries, folder: engine.allowedLoraPath) }
        server.servesReference = !disableFastapiDocs
        let watching = Task {
            if let file = access.file, let stamp { await file.watch(since: stamp, into: keys, logger) }
        }
        defer { watching.cancel() }
        try await server.run(gateway, group: group) { [uds, host] port in
            ServiceNotice.ready()
            let place = uds ?? "http://\(host ?? "127.0.0.1"):\(port)"
            logger.info("listening", metadata: ["address": .string(place), "models": .string(entries.map(\.id).joined(separator: ","))])
        }
        withExtendedLifetime(data) {}
    }

    private var address: HTTPListener.Address {
        if let uds { .unix(path: uds) } else { .tcp(host: host ?? "127.0.0.1", port: port ?? 8091) }
    }

    private func entry(
        _ plan: ModelPlan, place: Int, engine: EngineFlags, data: DataDirectory, client: UpstreamClient, room: ModelRoom,
        logger: Logger, change: ChangeNotifier
    ) throws -> CatalogueEntry {
        let socket = try data.socket("worker-\(place)")
        var arguments = [
            "worker", plan.model.path.path, "--kind", plan.model.kind.rawValue, "--socket", socket, "--served-model-name", plan.id,
            "--lane-dir",
            lanes(data), "--max-body-size", String(maxBodySize ?? 64 << 20),
        ]
        if let mmproj = plan.model.mmproj { arguments += ["--mmproj", mmproj.path] }
        arguments += ["--conversion-dir", data.conversions]
        if plan.model.kind == .text { arguments += lora.workerArguments }
        arguments += engine.arguments + plan.flags + log.arguments
        let backend = WorkerBackend(
            id: plan.id,
            launch: .init(
                executable: try OwnProgram.path(), arguments: arguments, socket: socket, root: plan.model.path.path,
                environment: WorkerEnvironment.additions(to: ProcessInfo.processInfo.environment), ownImage: OwnProgram.image),
            client: client,
            idleUnload: idleUnload.map { .seconds($0) }, isPinned: plan.pin, expectedBytes: Int(clamping: plan.model.size), room: room,
            drainLimit: .seconds(drainTimeout ?? 30), logger: logger,
            onChange: change.fire)
        var entry = CatalogueEntry(id: plan.id, aliases: plan.aliases, kind: plan.model.kind, isDefault: plan.isDefault, backend: backend)
        let time = (try? FileManager.default.attributesOfItem(atPath: plan.model.path.path))?[.modificationDate] as? Date
        entry.files = ModelFiles(
            architecture: plan.model.architecture, bytes: plan.model.size, changed: time?.timeIntervalSince1970 ?? 0,
            format: plan.model.shards.isEmpty ? "safetensors" : "gguf")
        return entry
    }

    /// Where the workers take turns: with every server of this user that computes on the same cores, or with each other only, where
    /// another server finds cores of its own beside this one.
    private func lanes(_ data: DataDirectory) -> String {
        LaneFolder.shared(threads: engine.threads ?? Processors.current.threads) ?? data.run.appending(path: "lanes").path
    }
}
