import OmniEngine

/// How a transcription engine works.
public struct TranscriptionOptions: Sendable {
    /// Threads that compute; nil takes as many as find a core.
    public var threads: Int?
    /// The Silero VAD's file; nil looks beside the model. Without one pauses are not known.
    public var voiceActivityModel: String?
    /// Texts that are followed side by side; 1 takes the likeliest token each time.
    public var beams: Int
    /// Requests in work and waiting; more are refused with 503.
    public var mostRequests: Int

    public init(threads: Int? = nil, voiceActivityModel: String? = nil, beams: Int = 1, mostRequests: Int = 64) {
        (self.threads, self.voiceActivityModel, self.beams) = (threads, voiceActivityModel, beams)
        self.mostRequests = mostRequests
    }

    var threadCount: Int { threads ?? Processors.current.threads }
}
