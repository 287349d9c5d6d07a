import Foundation
import NIOCore
import NIOPosix
import OmniAPI
import OmniEngine
import OmniHTTP
import OmniMedia
import OmniRequests

/// What a choice of an answer brings besides text, coded for the wire.
struct ChatMedia: Sendable {
    var sound: ChatSound?
    var pictures: [ImageFile] = []

    /// - Parameter message: gets `audio`, and the pictures as parts of its content.
    func add(to message: inout JSONObject, text: String) {
        if let sound {
            message["audio"] = sound.message(
                id: RequestID.make("audio-", digits: 16), transcript: text, now: Int(Date().timeIntervalSince1970))
        }
        guard !pictures.isEmpty else { return }
        let words: [JSONValue] = text.isEmpty ? [] : [["type": "text", "text": .string(text)]]
        message["content"] = .array(words + pictures.map(Self.part))
    }

    static func part(_ picture: ImageFile) -> JSONValue {
        ["type": "image_url", "image_url": ["url": picture.dataURL]]
    }
}

/// Codes the sound and the pictures of a model that makes them in its answers, as the request wants them.
struct ChatMediaCoder: Sendable {
    /// Nil where no sound was asked for: it is dropped then.
    let audio: ChatAudioOptions?
    /// How a model with several voices is to speak.
    var speech: SpokenAnswer?

    init(audio: ChatAudioOptions?) { self.audio = audio }

    var wantsText: Bool { audio?.wantsText ?? true }

    /// Whether an event is to be sent: words are not where sound alone was asked for.
    func wants(_ event: TextEvent) -> Bool {
        switch event {
        case .text, .reasoning, .toolCall: wantsText
        default: true
        }
    }

    /// Not on the caller's thread.
    func sound(_ samples: [Float], sampleRate: Int) async throws -> ChatSound? {
        guard let format = audio?.format, !samples.isEmpty else { return nil }
        let clip = AudioClip(samples: samples, sampleRate: sampleRate)
        let file = try await NIOThreadPool.singleton.runIfActive { try AudioEncoder.encode(clip, as: format) }
        return ChatSound(bytes: file, format: format, sampleRate: AudioEncoder.codedRate(format, sampleRate: sampleRate))
    }

    func picture(_ image: FloatImage) async throws -> ImageFile {
        try await ImageFile.encode(image, cropped: ImageSize(width: image.width, height: image.height), as: ImageOutput())
    }

    /// What the choices of a whole answer bring. Throws 400 where sound was asked for and there is none.
    func media(of answer: ChatAnswer) async throws -> [Int: ChatMedia] {
        if speech != nil, answer.choices.contains(where: { $0.samples.isEmpty && $0.calls.isEmpty }) {
            throw APIError.invalid("modalities", "Audio was asked for, but the answer has no words to speak.")
        }
        var media: [Int: ChatMedia] = [:]
        for (index, choice) in answer.choices.enumerated() {
            var own = ChatMedia(sound: try await sound(choice.samples, sampleRate: choice.sampleRate))
            for image in choice.images { own.pictures.append(try await picture(image)) }
            if own.sound != nil || !own.pictures.isEmpty { media[index] = own }
        }
        return media
    }

    /// The chunk of an event that brings sound or a picture; nil for other events.
    func chunk(_ event: TextEvent, _ reply: ChatReply) async throws -> ByteBuffer? {
        switch event {
        case .audio(let index, let samples, let sampleRate):
            return try await sound(samples, sampleRate: sampleRate).map { reply.mediaChunk($0.choice(index), modality: "audio") }
        case .image(let index, let image):
            let parts = JSONValue.array([ChatMedia.part(try await picture(image))])
            let choice: JSONValue = [
                "index": .int(index), "delta": ["role": "assistant", "content": parts], "logprobs": nil, "finish_reason": nil,
            ]
            return reply.mediaChunk(choice, modality: "image")
        default: return nil
        }
    }
}
