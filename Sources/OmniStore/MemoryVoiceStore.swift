import OmniAPI

/// A voice store without a disk, for tests.
public actor MemoryVoiceStore: VoiceStore {
    private var voices: [StoredVoice] = []
    private var made = 0

    public init() {}

    public func all() -> [StoredVoice] { voices }

    public func voice(named name: String) -> StoredVoice? { voices.first { $0.voice.name.voiceKey == name.voiceKey } }

    public func keep(_ voice: NewVoice) throws -> StoredVoice {
        made += 1
        voices.removeAll { $0.voice.name.voiceKey == voice.voice.name.voiceKey }
        guard voices.count < VoiceUpload.mostVoices else { throw StoreLimits.tooManyVoices }
        let stored = StoredVoice(id: "voice-\(made)", voice: voice.voice, samplePath: nil, embedding: voice.embedding)
        voices.append(stored)
        return stored
    }

    public func remove(named name: String) -> Bool {
        let before = voices.count
        voices.removeAll { $0.voice.name.voiceKey == name.voiceKey }
        return voices.count < before
    }
}

enum StoreLimits {
    static let tooManyVoices = APIError.invalid(
        "name", "There are \(VoiceUpload.mostVoices) uploaded voices, which is the most.",
        remedy: "Delete one with DELETE /v1/audio/voices/NAME.")
}
