import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests

/// All routes of a worker: the same wire API as the gateway's, answered by the engine in this process. Each group of them is given what it
/// needs.
public struct WorkerRoutes: Sendable {
    let worker: WorkerModel
    let metrics: MetricsRegistry
    /// Gets what requests name by URL.
    let fetcher: any MediaFetcher
    let images: ImageRequestLimits
    let muxing: MuxingOptions
    /// Limits on sound that is to be written down.
    let audio: AudioLimits

    public init(
        worker: WorkerModel, metrics: MetricsRegistry, fetcher: any MediaFetcher, images: ImageRequestLimits = ImageRequestLimits(),
        muxing: MuxingOptions = MuxingOptions(), audio: AudioLimits = .transcription(bytes: nil, seconds: nil)
    ) {
        self.worker = worker
        self.metrics = metrics
        self.fetcher = fetcher
        self.images = images
        self.muxing = muxing
        self.audio = audio
    }

    public var table: RouteTable {
        // One request for pictures, or a clip, at a time.
        let semaphore = AsyncSemaphore()
        let services = ImageServices(worker: worker, semaphore: semaphore, limits: images, fetcher: fetcher, metrics: metrics)
        var table = RouteTable()
        table.add(StatusRoutes(worker: worker, metrics: metrics))
        table.add(CapabilityRoutes(worker: worker, images: images, audio: audio))
        let chats = ChatRoutes(
            worker: worker, pictures: ImageChats(images: services), speech: SpokenChatMeter(registry: metrics, modelName: worker.servedName)
        )
        mount(chats, for: [.chat, .images], "chat", in: &table)
        mount(CompletionRoutes(worker: worker), for: [.chat], "completions", in: &table)
        mount(EmbeddingRoutes(worker: worker), for: [.embeddings], "embeddings", in: &table)
        mount(ScoringRoutes(worker: worker), for: [.scoring, .embeddings], "scoring", in: &table)
        mount(ClassificationRoutes(worker: worker), for: [.classification], "classification", in: &table)
        mount(PoolingRoutes(worker: worker), for: [.embeddings, .classification], "pooling", in: &table)
        mount(TokenizationRoutes(worker: worker), for: [.chat], "tokenization", in: &table)
        mount(ImageGenerationRoutes(images: services), for: [.images], "image generation", in: &table)
        mount(ImageEditRoutes(images: services), for: [.images], "image edits", in: &table)
        mount(SpeechRoutes(worker: worker, metrics: metrics, fetcher: fetcher), for: [.speech], "speech", in: &table)
        mount(TranscriptionRoutes(worker: worker, metrics: metrics, limits: audio), for: [.transcription], "transcription", in: &table)
        mount(
            VideoTaskRoutes(worker: worker, semaphore: semaphore, limits: images, muxing: muxing), for: [.video], "video generation",
            in: &table)
        return table
    }

    /// Adds routes for models that have one of `capabilities`. What a model can do it tells when it is loaded: until then they are 503,
    /// and 404 from then on if it has none of them.
    private func mount(
        _ group: some RouteGroup, for capabilities: Set<ModelCapability>, _ task: String, in table: inout RouteTable
    ) {
        table.add(group) { [worker] in try worker.check(capabilities, task: task) }
    }
}
