import Foundation
import GRDB
import OmniAPI

/// Voices in the database, their samples in `blobs/voices/`. A voice that was answered for survives a crash.
public final class SQLiteVoiceStore: VoiceStore {
    private let database: Database
    private let samples: BlobFolder

    /// Clears away what a crash may have left.
    public init(_ database: Database) throws {
        self.database = database
        samples = try BlobFolder(database.folder.appending(path: "blobs/voices"))
        let known = try database.pool.read { try String.fetchAll($0, sql: "SELECT id FROM voices WHERE has_sample") }
        samples.removeAll(except: Set(known))
    }

    public func all() async throws -> [StoredVoice] {
        try await database.pool.read { [samples] in
            try Row.fetchAll($0, sql: "SELECT * FROM voices ORDER BY rowid").map { Self.stored($0, samples) }
        }
    }

    public func voice(named name: String) async throws -> StoredVoice? {
        try await database.pool.read { [samples] in
            try Row.fetchOne($0, sql: "SELECT * FROM voices WHERE name_key = ?", arguments: [name.voiceKey]).map { Self.stored($0, samples) }
        }
    }

    public func keep(_ voice: NewVoice) async throws -> StoredVoice {
        let id = "voice-" + UUID().uuidString.lowercased()
        let earlier: String?
        do {
            // The file before the row: a row never names a sample that is not there.
            if let sample = voice.sample {
                let samples = samples
                try await Self.onDiskQueue { try samples.write(sample, id: id) }
            }
            earlier = try await database.pool.write { database in
                let key = voice.voice.name.voiceKey
                let earlier = try String.fetchOne(database, sql: "SELECT id FROM voices WHERE name_key = ?", arguments: [key])
                let count = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM voices") ?? 0
                guard earlier != nil || count < VoiceUpload.mostVoices else { throw StoreLimits.tooManyVoices }
                try database.execute(sql: "DELETE FROM voices WHERE name_key = ?", arguments: [key])
                try database.execute(
                    sql: "INSERT INTO voices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    arguments: [
                        id, voice.voice.name, key, voice.voice.consent, voice.voice.createdAt, voice.voice.mimeType, voice.voice.fileSize,
                        voice.voice.refText, voice.voice.speakerDescription, voice.embedding.map(Self.data), voice.sample != nil,
                    ])
                return earlier
            }
        } catch {
            samples.remove(id)
            throw Database.translated(error)
        }
        if let earlier { samples.remove(earlier) }
        guard let kept = try await self.voice(named: voice.voice.name) else {
            throw APIError(.conflict, "The voice '\(voice.voice.name)' was removed while it was being kept.", remedy: "Upload it again.")
        }
        return kept
    }

    public func remove(named name: String) async throws -> Bool {
        let id: String? = try await database.pool.write { database in
            let id = try String.fetchOne(database, sql: "SELECT id FROM voices WHERE name_key = ?", arguments: [name.voiceKey])
            try database.execute(sql: "DELETE FROM voices WHERE name_key = ?", arguments: [name.voiceKey])
            return id
        }
        guard let id else { return false }
        samples.remove(id)
        return true
    }

    private static func stored(_ row: Row, _ samples: BlobFolder) -> StoredVoice {
        var voice = UploadedVoice()
        voice.name = row["name"]
        voice.consent = row["consent"]
        voice.createdAt = row["created_at"]
        voice.mimeType = row["mime_type"]
        voice.fileSize = row["file_size"]
        voice.refText = row["ref_text"]
        voice.speakerDescription = row["speaker_description"]
        let embedding = (row["embedding"] as Data?).map(floats)
        voice.embeddingSource = embedding == nil ? .audio : .direct
        voice.embeddingDimension = embedding?.count
        let id: String = row["id"]
        return StoredVoice(id: id, voice: voice, samplePath: row["has_sample"] ? samples.path(of: id) : nil, embedding: embedding)
    }

    /// File writes block; they stay off the cooperative pool.
    private static func onDiskQueue(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(with: Result { try body() }) }
        }
    }

    private static func data(_ values: [Float]) -> Data { values.map(\.bitPattern.littleEndian).withUnsafeBytes { Data($0) } }

    private static func floats(_ data: Data) -> [Float] {
        stride(from: 0, to: data.count - data.count % 4, by: 4).map { place in
            Float(bitPattern: data.subdata(in: place..<place + 4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
    }
}
