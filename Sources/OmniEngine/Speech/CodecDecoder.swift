import OmniAPI

/// Makes sound of the codes that a talker writes, some time after they come.
public protocol CodecDecoder: Sendable {
    /// Hz of the mono samples.
    var sampleRate: Int { get }
    /// Codes that it knows: `0 ..< codeCount`.
    var codeCount: Int { get }
    /// The first one is the default.
    var voices: [CodecVoice] { get }
    /// Compared without case, under older names too; nil where there is none.
    func voice(named name: String) -> CodecVoice?
    /// Throws ``APIError`` (400) naming the setting that is out of range.
    func check(_ settings: CodecSettings) throws
    /// Starts an utterance for one thread. Computes nothing yet.
    func stream(_ voice: CodecVoice, settings: CodecSettings, cancellation: CancellationToken) throws -> any CodecStream
    /// Bytes of its weights.
    var weightBytes: Int { get }
}

/// A voice of a talker.
public struct CodecVoice: Sendable, Equatable {
    public var name: String
    /// The token of the thinker's vocabulary that begins its speech.
    public var beginToken: Int

    public init(name: String, beginToken: Int) { (self.name, self.beginToken) = (name, beginToken) }
}

/// What a request says about how its sound is made of codes; nil leaves it to the model.
public struct CodecSettings: Sendable, Equatable {
    public var steps: Int?
    public var guidance: Double?
    /// `rk4` or `euler`.
    public var solver: String?
    public var seed: Int?

    public init(steps: Int? = nil, guidance: Double? = nil, solver: String? = nil, seed: Int? = nil) {
        (self.steps, self.guidance, self.solver, self.seed) = (steps, guidance, solver, seed)
    }
}

/// One utterance. Belongs to one thread, and blocks it.
public protocol CodecStream {
    /// Takes more codes and returns the samples that became final, often none. Throws `CancellationError`, and ``APIError``.
    func append(_ codes: [Int32]) throws -> [Float]
    /// No more codes; returns the rest.
    func finish() throws -> [Float]
}
