import OmniAPI
import OmniHTTP

/// `audio` of a chat request, and which of text and sound is wanted.
package struct ChatAudioOptions: Sendable {
    package var voice: String?
    /// Where the voice was named, as `x-ignored-params` has it: `audio.voice`, `voice` or `speaker`.
    package var voiceField = "audio.voice"
    package var format = AudioFormat.wav
    package var wantsText = true
    /// Fields about the sound that have no effect.
    package var ignored: [String] = []

    /// The request's members that are read here, and not by the chat model.
    package static let members = ["audio", "voice", "speaker"]

    /// Nil when the request asks for text alone.
    package init?(_ json: JSONValue) throws {
        guard let modalities = json["modalities"]?.arrayValue?.compactMap(\.stringValue), modalities.contains("audio") else { return nil }
        for other in modalities where !["text", "audio"].contains(other) {
            throw APIError.invalid(
                "modalities", "Unsupported output modalities \(other) for this model. Supported modalities: text, audio.")
        }
        wantsText = modalities.contains("text")
        ignored = (json["audio"]?.objectValue?.keys ?? []).filter { !["voice", "format"].contains($0) }.map { "audio.\($0)" }
        for (field, name) in [("audio.voice", json["audio"]?["voice"]), ("voice", json["voice"]), ("speaker", json["speaker"])] {
            guard let name, !name.isNull else { continue }
            // OpenAI's voices of one's own are objects.
            guard let text = name.stringValue ?? name["id"]?.stringValue else {
                throw APIError.invalid(field, "The voice must be a name, or an object with the `id` of one.")
            }
            if voice == nil { (voice, voiceField) = (text, field) } else { ignored.append(field) }
        }
        guard let wish = json["audio"]?["format"], !wish.isNull else { return }
        let name = wish.stringValue ?? wish.jsonText
        guard let known = AudioFormat(rawValue: name == "pcm16" ? "pcm" : name) else {
            throw APIError.invalid(
                "audio.format", "Unsupported audio format \(name).", remedy: "Supported: wav, pcm, pcm16, flac, mp3, opus, aac.")
        }
        format = known
    }

    /// What a chat request may say about its sound.
    package static var schema: JSONValue {
        let formats = (AudioFormat.allCases.map(\.rawValue) + ["pcm16"]).map { JSONValue.string($0) }
        return [
            "type": "object",
            "properties": [
                "modalities": [
                    "type": ["array", "null"], "items": ["type": "string"], "description": "[\"text\", \"audio\"] for a spoken answer.",
                ],
                "audio": [
                    "type": ["object", "null"],
                    "properties": ["voice": ["type": "string"], "format": ["type": "string", "enum": .array(formats)]],
                ],
                "sampling_params_list": [
                    "type": ["array", "null"], "items": ["type": "object"], "maxItems": 3,
                    "description":
                        "Of a model that speaks its answers, for each stage: what goes before the request's sampling, how the talker chooses codes (temperature, top_k, top_p, repetition_penalty, seed, max_tokens), and token2wav_* fields.",
                ],
            ],
        ]
    }
}

extension JSONBody {
    /// The body for a reader that does not know these members of it.
    package func without(_ names: [String]) -> JSONBody {
        guard var members = json.objectValue else { return self }
        for name in names { members[name] = nil }
        return JSONBody(bytes: bytes, json: .object(members))
    }
}
