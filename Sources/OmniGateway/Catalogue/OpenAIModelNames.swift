import OmniEngine

/// Names of OpenAI's models, which clients have built in, by what a model must be able to do to stand in for them.
/// Source: OpenAI's API reference and the lists of models in its official clients.
enum OpenAIModelNames {
    private static let names: [ModelCapability: [String]] = [
        .chat: [
            "gpt-3.5-turbo", "gpt-3.5-turbo-instruct", "gpt-4", "gpt-4-turbo", "gpt-4o", "gpt-4o-mini", "chatgpt-4o-latest", "gpt-4.1",
            "gpt-4.1-mini", "gpt-4.1-nano", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-chat-latest", "o1", "o3", "o3-mini", "o4-mini",
            "gpt-4o-audio-preview", "gpt-4o-mini-audio-preview", "gpt-audio", "gpt-audio-mini", "gpt-realtime", "gpt-realtime-mini",
            "gpt-4o-realtime-preview", "gpt-4o-mini-realtime-preview",
        ],
        .embeddings: ["text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"],
        .images: ["gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "dall-e-3", "dall-e-2"],
        .video: ["sora-2", "sora-2-pro"],
        .speech: ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"],
        .transcription: ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"],
    ]

    private static let capabilities = Dictionary(
        names.flatMap { capability, names in names.map { ($0, capability) } }, uniquingKeysWith: { first, _ in first })

    /// What a model must be able to do to stand in for the one of that name; nil for a name that is none of OpenAI's.
    static func capability(of name: String) -> ModelCapability? { capabilities[name] }
}
