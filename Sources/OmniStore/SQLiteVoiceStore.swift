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
        let known = try database.pool.read { try String.fetchAll($0, VoiceRow.filter(Column("has_sample") == true).select(Column("id"))) }
        samples.removeAll(except: Set(known))
    }

    public func all() async throws -> [StoredVoice] {
        try await database.pool.read { [samples] in
            try VoiceRow.order(Column.rowID).fetchAll($0).map { $0.stored(samples) }
        }
    }

    public func voice(named name: String) async throws -> StoredVoice? {
        try await database.pool.read { [samples] in
            try VoiceRow.named(name).fetchOne($0)?.stored(samples)
        }
    }

    public func keep(_ voice: NewVoice) async throws -> StoredVoice {
        let id = "voice-" + UUID().uuidString.lowercased()
        let earlier: String?
        do {
            // The file before the row: a row never names a sample that is not there.
            if let sample = voice.sample {
                let samples = samples
                try await onDisk { try samples.write(sample, id: id) }
            }
            earlier = try await database.pool.write { database in
                let earlier = try VoiceRow.named(voice.voice.name).fetchOne(database)?.id
                let count = try VoiceRow.fetchCount(database)
                guard earlier != nil || count < VoiceUpload.mostVoices else { throw StoreLimits.tooManyVoices }
                try VoiceRow.named(voice.voice.name).deleteAll(database)
                try VoiceRow(id: id, voice).insert(database)
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
            let id = try VoiceRow.named(name).fetchOne(database)?.id
            try VoiceRow.named(name).deleteAll(database)
            return id
        }
        guard let id else { return false }
        samples.remove(id)
        return true
    }
}
