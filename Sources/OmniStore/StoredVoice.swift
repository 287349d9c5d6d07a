import OmniAPI

/// An uploaded voice as it is kept: what the wire shows, and where its sample is.
public struct StoredVoice: Sendable, Equatable {
    /// Made by the server; names nothing that a client sent.
    public var id: String
    public var voice: UploadedVoice
    /// The sample's file; nil for a voice given as numbers.
    public var samplePath: String?
    /// The numbers of a voice given as such.
    public var embedding: [Float]?
}

/// A voice to be kept.
public struct NewVoice: Sendable {
    public var voice: UploadedVoice
    /// The uploaded file, as it came.
    public var sample: [UInt8]?
    public var embedding: [Float]?

    public init(voice: UploadedVoice, sample: [UInt8]? = nil, embedding: [Float]? = nil) {
        self.voice = voice
        self.sample = sample
        self.embedding = embedding
    }
}

/// Keeps uploaded voices. Names are compared without case.
public protocol VoiceStore: Sendable {
    /// All voices, oldest first.
    func all() async throws -> [StoredVoice]
    func voice(named name: String) async throws -> StoredVoice?
    /// Keeps a voice in place of an earlier one of its name; the earlier one goes only once the new one is safe. Throws 400
    /// when there is no room for another, 507 when the disk is full.
    func keep(_ voice: NewVoice) async throws -> StoredVoice
    /// False when there is no voice of that name.
    func remove(named name: String) async throws -> Bool
}

extension String {
    /// The form in which names are compared.
    var voiceKey: String { lowercased() }
}
