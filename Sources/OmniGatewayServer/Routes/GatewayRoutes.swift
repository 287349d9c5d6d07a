import Foundation
import OmniAccess
import OmniEngine
import OmniGateway
import OmniHTTP
import OmniRequests
import OmniStore

/// All routes of the gateway: requests are checked, a model is chosen, and the request goes on to its backend. Each group of them is
/// given what it needs.
public struct GatewayRoutes: Sendable {
    let gateway: Gateway
    let voices: VoiceResolver
    let pipelines: [SpeechPipeline]
    let videos: VideoJobService
    let responses: any ResponseStore
    let images: ImageRequestLimits
    let metrics: MetricsRegistry
    let version: String
    private let realtime = RealtimeService()
    /// Pictures behind links.
    var pictures = LinkedPictures(
        folder: FileManager.default.temporaryDirectory.appending(path: "omni-pictures-\(ProcessInfo.processInfo.processIdentifier)"))
    /// Whether requests may bring chat templates; `--trust-request-chat-template`.
    var trustsChatTemplates = false
    /// What `/v1/usage` tells of.
    var keys = KeyStore.none
    /// Takes adapters while the server runs; nil where that is off.
    var adapters: AdapterLoader?
    /// Whether `/docs` and `/openapi.json` are there.
    var servesReference = true

    public init(
        gateway: Gateway, voices: VoiceResolver, pipelines: [SpeechPipeline] = [], videos: VideoJobService,
        responses: any ResponseStore = MemoryResponseStore(), images: ImageRequestLimits = ImageRequestLimits(), metrics: MetricsRegistry,
        version: String
    ) {
        self.gateway = gateway
        self.voices = voices
        self.pipelines = pipelines
        self.videos = videos
        self.responses = responses
        self.images = images
        self.metrics = metrics
        self.version = version
    }

    public var table: RouteTable {
        let catalogue = gateway.catalogue
        let forwarder = Forwarder(catalogue: catalogue)
        let chats = ChatDecoder(trustsTemplates: trustsChatTemplates)
        var table = RouteTable()
        table.add(HealthRoutes(gateway: gateway, runner: videos.runner, metrics: metrics, version: version))
        table.add(UsageRoutes(keys: keys))
        table.add(ModelRoutes(catalogue: catalogue))
        table.add(LoRARoutes(catalogue: catalogue, loader: adapters))
        table.add(CapabilityRoutes(catalogue: catalogue, images: images))
        let spoken = SpokenChats(forwarder: forwarder, voices: voices, pipelines: pipelines, decoder: chats)
        table.add(ChatRoutes(forwarder: forwarder, decoder: chats, spoken: spoken))
        let conversations = ChatUpstream(catalogue: catalogue)
        table.add(MessageRoutes(upstream: conversations))
        table.add(ResponseRoutes(upstream: conversations, store: responses))
        table.add(OllamaModelRoutes(catalogue: catalogue))
        table.add(OllamaChatRoutes(upstream: conversations))
        table.add(OllamaEmbedRoutes(upstream: conversations))
        table.add(CompletionRoutes(forwarder: forwarder))
        table.add(EmbeddingRoutes(forwarder: forwarder))
        table.add(ScoringRoutes(forwarder: forwarder))
        table.add(ClassificationRoutes(forwarder: forwarder))
        table.add(TokenizationRoutes(forwarder: forwarder))
        let links = ImageLinks(pictures: pictures)
        table.add(ImageGenerationRoutes(forwarder: forwarder, limits: images, links: links))
        table.add(ImageEditRoutes(forwarder: forwarder, limits: images, links: links))
        table.add(ImageContentRoutes(pictures: pictures))
        table.add(SpeechRoutes(forwarder: forwarder, voices: voices))
        table.add(TranscriptionRoutes(forwarder: forwarder))
        table.add(realtimeRoutes)
        table.add(VoiceRoutes(catalogue: catalogue, voices: voices))
        table.add(VideoRoutes(catalogue: catalogue, videos: videos))
        table.add(OperationRoutes(catalogue: catalogue))
        table.add(LoadRoutes(catalogue: catalogue))
        table.add(UnservedRoutes(catalogue: catalogue))
        table.add(PageRoutes(servesReference: servesReference))
        if servesReference { table.add(DocumentRoutes(sockets: sockets, version: version)) }
        return table
    }

    /// The WebSockets of the gateway.
    public var sockets: WebSocketRoutes {
        var sockets = WebSocketRoutes()
        SpeechSocketRoutes(catalogue: gateway.catalogue, voices: voices).add(to: &sockets)
        realtimeRoutes.add(to: &sockets)
        return sockets
    }

    private var realtimeRoutes: RealtimeRoutes {
        RealtimeRoutes(catalogue: gateway.catalogue, voices: voices, pipelines: pipelines, service: realtime)
    }
}
