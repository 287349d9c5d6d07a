import Foundation
import GRDB
import OmniAPI

/// An uploaded voice as a row of the table `voices`; columns by the names of the fields.
struct VoiceRow: Codable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "voices"
    static var databaseColumnDecodingStrategy: DatabaseColumnDecodingStrategy { .convertFromSnakeCase }
    static var databaseColumnEncodingStrategy: DatabaseColumnEncodingStrategy { .convertToSnakeCase }

    var id, name, nameKey, consent: String
    var createdAt: Int
    var mimeType: String?
    var fileSize: Int?
    var refText, speakerDescription: String?
    /// Little-endian f32.
    var embedding: Data?
    var hasSample: Bool

    init(id: String, _ new: NewVoice) {
        let voice = new.voice
        (self.id, name, nameKey, consent, createdAt) = (id, voice.name, voice.name.voiceKey, voice.consent, voice.createdAt)
        (mimeType, fileSize, refText, speakerDescription) = (voice.mimeType, voice.fileSize, voice.refText, voice.speakerDescription)
        embedding = new.embedding.map { values in values.map(\.bitPattern.littleEndian).withUnsafeBytes { Data($0) } }
        hasSample = new.sample != nil
    }

    static func named(_ name: String) -> QueryInterfaceRequest<VoiceRow> { filter(Column("name_key") == name.voiceKey) }

    func stored(_ samples: BlobFolder) -> StoredVoice {
        var voice = UploadedVoice()
        (voice.name, voice.consent, voice.createdAt) = (name, consent, createdAt)
        (voice.mimeType, voice.fileSize, voice.refText, voice.speakerDescription) = (mimeType, fileSize, refText, speakerDescription)
        let embedding = embedding.map(Self.floats)
        voice.embeddingSource = embedding == nil ? .audio : .direct
        voice.embeddingDimension = embedding?.count
        return StoredVoice(id: id, voice: voice, samplePath: hasSample ? samples.path(of: id) : nil, embedding: embedding)
    }

    private static func floats(_ data: Data) -> [Float] {
        stride(from: 0, to: data.count - data.count % 4, by: 4).map { place in
            Float(bitPattern: data.subdata(in: place..<place + 4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
    }
}
