import OmniAPI

/// A model that speaks its answers itself, in one of several voices.
public protocol SpokenChatModel: TextModel {
    /// Its voices, the default first.
    var chatVoices: [SpeechVoice] { get }
    /// Throws ``APIError`` (400) for a voice that it does not have, with those that it has, and for a setting out of range.
    func check(_ speech: SpokenAnswer) throws
    /// As ``TextModel/chat(_:scope:)``, with the sound of the answer between its texts, as it is made. The choice is finished when all of it
    /// has come.
    func chat(_ request: ChatCompletionRequest, speech: SpokenAnswer, scope: RequestScope) async throws -> TextGeneration
}

/// How an answer is to be spoken. What is nil the model decides.
public struct SpokenAnswer: Sendable, Equatable {
    public var voice: String?
    /// Where the request names the voice.
    public var voiceField = "audio.voice"
    /// How the talker chooses its codes.
    public var temperature: Double?
    public var topK: Int?
    public var topP: Double?
    public var repetitionPenalty: Double?
    public var seed: Int?
    /// Most codes: 50 make a second.
    public var maxTokens: Int?
    public var codec = CodecSettings()

    public init(voice: String? = nil) { self.voice = voice }
}
