import OmniAPI

/// What sort of model it is: chooses the engine that loads it. What it can do are its ``ModelCapability``s.
public enum ModelKind: String, Sendable, CaseIterable {
    case text, embedding
    /// Tells classes of texts or of pairs; a reranker is one whose only class is "they belong together".
    case classifier
    case image, video, speech, transcription
}

/// A loaded model, as `/v1/models` and `/v1/capabilities` describe it.
public struct ModelCard: Sendable {
    public var kind: ModelKind
    /// Where it was loaded from.
    public var root: String
    /// Longest prompt and answer together, tokens; nil where that has no meaning.
    public var maxModelLength: Int?
    /// Parts besides text that a prompt may hold: `image_url`, `input_audio`, `video_url`.
    public var inputParts: [String]
    /// Anything else worth telling, by name (architecture, parameters, quantization).
    public var details: JSONObject

    public init(kind: ModelKind, root: String, maxModelLength: Int? = nil, inputParts: [String] = [], details: JSONObject = JSONObject()) {
        self.kind = kind
        self.root = root
        self.maxModelLength = maxModelLength
        self.inputParts = inputParts
        self.details = details
    }
}

/// A model in a worker's memory. Every modality refines this: a model conforms to the protocol of each thing that it can do.
public protocol ServedModel: Sendable {
    var card: ModelCard { get }
    /// What it can do; what its kind can, unless it says otherwise.
    var capabilities: Set<ModelCapability> { get }
    /// Time since the engine last finished a step while it had work, nil when idle: the watchdog's pulse.
    var stalledFor: Duration? { get }
    /// What it has set aside.
    var reservation: MemoryReservation { get }
    /// Ends running work and gives all memory back. Requests still running end with an error.
    func shutdown() async
}

extension ServedModel {
    public var capabilities: Set<ModelCapability> { card.kind.capabilities }
    public var stalledFor: Duration? { nil }
    /// The weights, where the card tells their bytes.
    public var reservation: MemoryReservation { MemoryReservation(weights: card.details["bytes"]?.intValue ?? 0) }
}

/// What travels with a request through an engine.
public struct RequestScope: Sendable {
    public let id: String
    public let cancellation: CancellationToken
    /// The adapter that is to change a language model's answer.
    public let adapter: LoRAModule?

    public init(id: String, adapter: LoRAModule? = nil, cancellation: CancellationToken = CancellationToken()) {
        self.id = id
        self.adapter = adapter
        self.cancellation = cancellation
    }
}
