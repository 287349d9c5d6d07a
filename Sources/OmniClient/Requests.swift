import Foundation
import OmniAPI

extension ChatCompletionRequest {
    /// - Parameter maxTokens: most tokens of the answer; sent as `max_completion_tokens`, the name that all of OpenAI's models take.
    public init(model: String? = nil, _ messages: [ChatMessage], maxTokens: Int? = nil) {
        self.init()
        self.model = model
        self.messages = messages
        maxCompletionTokens = maxTokens
    }
}

extension ChatMessage {
    public static func system(_ text: String) -> ChatMessage { ChatMessage(.system, text) }
    public static func user(_ text: String) -> ChatMessage { ChatMessage(.user, text) }
    public static func assistant(_ text: String) -> ChatMessage { ChatMessage(.assistant, text) }

    /// What the user says, with pictures and sounds before it.
    public static func user(_ text: String, attachments: [ChatPart]) -> ChatMessage {
        var message = ChatMessage()
        message.content = .parts(attachments + [.text(text)])
        return message
    }
}

extension ChatPart {
    /// A picture or a sound from the disk. It travels inside the JSON, so it is read whole.
    ///
    /// - Throws: `OmniError` for a file that cannot be read, or is of no kind that a chat takes.
    public static func file(_ url: URL) throws -> ChatPart {
        guard let data = try? Data(contentsOf: url) else { throw OmniError(.file, "\(url.path) cannot be read.") }
        let type = Upload.contentType(of: url.lastPathComponent)
        if type.hasPrefix("image/") { return .image(data, type: type) }
        if type.hasPrefix("audio/") { return .audio(data: data.base64EncodedString(), format: url.pathExtension.lowercased()) }
        if type.hasPrefix("video/") { return .videoURL("data:\(type);base64,\(data.base64EncodedString())") }
        throw OmniError(.file, "\(url.lastPathComponent) is no picture, sound or video by its name.")
    }

    /// - Parameter type: `image/png` and the like.
    public static func image(_ data: Data, type: String) -> ChatPart { .image(url: "data:\(type);base64,\(data.base64EncodedString())") }
}

extension CompletionRequest {
    public init(model: String? = nil, _ prompt: String) {
        self.init()
        self.model = model
        prompts = [.text(prompt)]
    }
}

extension EmbeddingRequest {
    public init(model: String? = nil, _ texts: [String]) {
        self.init()
        self.model = model
        input = texts.map { .text($0) }
    }
}

extension TokenizeRequest {
    public init(model: String? = nil, _ prompt: String) {
        self.init()
        self.model = model
        self.prompt = prompt
    }
}

extension ImageGenerationRequest {
    public init(model: String? = nil, _ prompt: String, size: ImageSize? = nil) {
        self.init()
        self.model = model
        self.prompt = prompt
        self.size = size
    }
}

extension ImageEditRequest {
    public init(model: String? = nil, _ prompt: String) {
        self.init()
        self.model = model
        self.prompt = prompt
    }
}

extension SpeechRequest {
    public init(model: String? = nil, _ text: String, voice: String? = nil, format: AudioFormat = .wav) {
        self.init()
        self.model = model
        input = text
        self.voice = voice
        responseFormat = format
    }
}

extension VoiceUpload {
    /// - Parameter consent: the id under which the speaker agreed.
    public init(name: String, consent: String) {
        self.init()
        self.name = name
        self.consent = consent
    }
}

extension VideoGenerationRequest {
    public init(model: String? = nil, _ prompt: String) {
        self.init()
        self.model = model
        self.prompt = prompt
    }
}
