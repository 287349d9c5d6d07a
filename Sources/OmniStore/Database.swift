import Foundation
import GRDB
import OmniAPI

/// The server's database, `omni.sqlite` in the data folder: write-ahead log, one writer.
public final class Database: Sendable {
    let pool: DatabasePool
    let folder: URL

    /// Opens, makes, or brings up to date. Throws ``APIError`` saying what is wrong with the file.
    public init(folder: URL) throws {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            pool = try DatabasePool(path: folder.appending(path: "omni.sqlite").path, configuration: configuration)
            try pool.read(Self.checkVersion)
            try Self.migrator.migrate(pool)
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError(
                .internalError, "The database in \(folder.path) cannot be opened: \(error).",
                remedy: "Move omni.sqlite away to start afresh, or choose another --data-dir.")
        }
    }

    /// One step per version, never changed once released.
    private static let migrations = [
        """
        CREATE TABLE voices (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, name_key TEXT NOT NULL UNIQUE, consent TEXT NOT NULL, created_at INTEGER NOT NULL,
            mime_type TEXT, file_size INTEGER, ref_text TEXT, speaker_description TEXT, embedding BLOB, has_sample INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, model_name TEXT NOT NULL, request TEXT NOT NULL,
            seed INTEGER NOT NULL, has_picture INTEGER NOT NULL, is_sync INTEGER NOT NULL, created_at REAL NOT NULL, idempotency_key TEXT UNIQUE,
            fingerprint TEXT, status TEXT NOT NULL, started_at REAL, completed_at REAL, expires_at REAL, attempts INTEGER NOT NULL,
            deaths INTEGER NOT NULL, error_code INTEGER, error_message TEXT, result TEXT, remote_place TEXT, remote_id TEXT, webhook_at REAL,
            webhook_attempts INTEGER NOT NULL
        );
        CREATE INDEX jobs_running ON jobs (number) WHERE status = 'in_progress';
        CREATE INDEX jobs_queued ON jobs (number) WHERE status = 'queued';
        CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL;
        CREATE INDEX jobs_webhooks ON jobs (webhook_at) WHERE webhook_at IS NOT NULL
        """,
        """
        CREATE TABLE responses (
            id TEXT PRIMARY KEY, created_at REAL NOT NULL, size INTEGER NOT NULL, response TEXT NOT NULL, input TEXT NOT NULL, conversation TEXT NOT NULL
        );
        CREATE INDEX responses_oldest ON responses (created_at, size)
        """,
    ]

    /// The steps under their numbers. Databases of before the migrator have the number of their last step in `user_version`, which is
    /// kept up, so that earlier programs know a later database when they see one.
    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (index, sql) in migrations.enumerated() {
            migrator.registerMigration("\(index + 1)") { database in
                guard try version(database) <= index else { return }
                try database.execute(sql: sql)
                try database.execute(sql: "PRAGMA user_version = \(index + 1)")
            }
        }
        return migrator
    }

    private static func version(_ database: GRDB.Database) throws -> Int { try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0 }

    private static func checkVersion(_ database: GRDB.Database) throws {
        let version = try version(database)
        guard version <= migrations.count, try !migrator.hasBeenSuperseded(database) else {
            throw APIError(
                .internalError, "The database is of a later version (\(version)) than this program knows (\(migrations.count)).",
                remedy: "Use a newer swift-omni.")
        }
    }

    /// A full disk under the database is 507, as it is for files.
    static func translated(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError, error.resultCode == .SQLITE_FULL || error.resultCode == .SQLITE_IOERR else {
            return error
        }
        return APIError(.insufficientStorage, "The server's disk is full.", remedy: "Free space in its data folder and try again.")
    }
}
