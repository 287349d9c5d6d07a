/// One thing that a model can do. A model has a set of them, and a request goes to a model that has the one it needs.
public enum ModelCapability: String, Sendable, CaseIterable {
    /// It answers in text: chats, completions, and the tokens of a text.
    case chat
    /// It speaks its answers to chats by itself.
    case spokenChat = "spoken_chat"
    case embeddings
    /// It reads two texts together and says how well they fit: a cross encoder. Models for embeddings compare texts by their vectors.
    case scoring
    /// It tells the class of a text.
    case classification
    case images, video, speech, transcription
}

extension Set<ModelCapability> {
    /// Whether it answers chats with pictures: it draws, and writes nothing.
    package var drawsChats: Bool { contains(.images) && !contains(.chat) }
}

extension ModelKind {
    /// What every model of this kind can do; one may do more, and says so when it is loaded.
    public var capabilities: Set<ModelCapability> {
        switch self {
        case .text: [.chat]
        case .embedding: [.embeddings]
        case .classifier: [.scoring, .classification]
        case .image: [.images]
        case .video: [.video]
        case .speech: [.speech]
        case .transcription: [.transcription]
        }
    }
}
