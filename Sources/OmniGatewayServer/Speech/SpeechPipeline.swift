/// A name under which a chat model's answers are spoken by a speech model.
public struct SpeechPipeline: Sendable {
    public let id: String
    public let chat: String
    public let speech: String

    public init(id: String, chat: String, speech: String) {
        self.id = id
        self.chat = chat
        self.speech = speech
    }
}
