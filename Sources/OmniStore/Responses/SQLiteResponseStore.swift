import Foundation
import GRDB
import OmniAPI

/// Responses in the database. One that a client was told of survives a crash.
public final class SQLiteResponseStore: ResponseStore {
    private let database: Database
    private let quota: ResponseQuota
    /// Seconds since 1970.
    private let now: @Sendable () -> Double

    public init(
        _ database: Database, quota: ResponseQuota = ResponseQuota(),
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) {
        (self.database, self.quota, self.now) = (database, quota, now)
    }

    public func keep(_ response: StoredResponse) async throws {
        let row = ResponseRow(response)
        do {
            try await database.pool.write { [quota, now] database in
                try row.insert(database)
                try ResponseRow.filter(Column("created_at") < now() - quota.lifetime).deleteAll(database)
                try Self.makeRoom(database, bytes: quota.bytes, keeping: row.id)
            }
        } catch {
            throw Database.translated(error)
        }
    }

    /// Deletes the oldest until all together fit.
    private static func makeRoom(_ database: GRDB.Database, bytes: Int, keeping id: String) throws {
        var excess = try (Int.fetchOne(database, ResponseRow.select(sum(Column("size")))) ?? 0) - bytes
        while excess > 0,
            let oldest = try ResponseRow.filter(Column("id") != id).order(Column("created_at"), Column.rowID).fetchOne(database)
        {
            try oldest.delete(database)
            excess -= oldest.size
        }
    }

    public func response(_ id: String) async throws -> StoredResponse? {
        let oldest = now() - quota.lifetime
        return try await database.pool.read {
            try ResponseRow.filter(Column("id") == id && Column("created_at") >= oldest).fetchOne($0)?.stored()
        }
    }

    public func remove(_ id: String) async throws -> Bool {
        try await database.pool.write { try ResponseRow.filter(Column("id") == id).deleteAll($0) > 0 }
    }
}

/// A response as a row of the table `responses`; columns by the names of the fields.
private struct ResponseRow: Codable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "responses"
    static var databaseColumnDecodingStrategy: DatabaseColumnDecodingStrategy { .convertFromSnakeCase }
    static var databaseColumnEncodingStrategy: DatabaseColumnEncodingStrategy { .convertToSnakeCase }

    var id: String
    var createdAt: Double
    /// Bytes of the texts.
    var size: Int
    /// JSON.
    var response, input, conversation: String

    init(_ stored: StoredResponse) {
        (id, createdAt, response) = (stored.id, stored.createdAt, stored.response.jsonText)
        (input, conversation) = (JSONValue.array(stored.input).jsonText, JSONValue.array(stored.conversation).jsonText)
        size = response.utf8.count + input.utf8.count + conversation.utf8.count
    }

    func stored() throws -> StoredResponse {
        StoredResponse(
            id: id, createdAt: createdAt, response: try JSONValue.parse(response), input: try JSONValue.parse(input).arrayValue ?? [],
            conversation: try JSONValue.parse(conversation).arrayValue ?? [])
    }
}
