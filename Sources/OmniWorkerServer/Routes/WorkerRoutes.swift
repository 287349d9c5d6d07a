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
    let hearing: AudioLimits

    public init(
        worker: WorkerModel, metrics: MetricsRegistry, fetcher: any MediaFetcher, images: ImageRequestLimits = ImageRequestLimits(),
        muxing: MuxingOptions = MuxingOptions(), hearing: AudioLimits = .transcription(bytes: nil, seconds: nil)
    ) {
        self.worker = worker
        self.metrics = metrics
        self.fetcher = fetcher
        self.images = images
        self.muxing = muxing
        self.hearing = hearing
    }

    public var table: RouteTable {
        // One request for pictures, or a clip, at a time.
        let semaphore = AsyncSemaphore()
        let services = ImageServices(worker: worker, semaphore: semaphore, limits: images, fetcher: fetcher, metrics: metrics)
        var table = RouteTable()
        table.add(StatusRoutes(worker: worker, metrics: metrics))
        table.add(CapabilityRoutes(worker: worker, images: images, hearing: hearing))
        table.add(ChatRoutes(worker: worker, pictures: ImageChats(images: services)))
        table.add(CompletionRoutes(worker: worker))
        table.add(EmbeddingRoutes(worker: worker))
        table.add(TokenizationRoutes(worker: worker))
        table.add(ImageGenerationRoutes(images: services))
        table.add(ImageEditRoutes(images: services))
        table.add(SpeechRoutes(worker: worker, metrics: metrics, fetcher: fetcher))
        table.add(TranscriptionRoutes(worker: worker, metrics: metrics, limits: hearing))
        table.add(VideoTaskRoutes(worker: worker, semaphore: semaphore, limits: images, muxing: muxing))
        return table
    }
}
