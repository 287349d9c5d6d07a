import Foundation
import GRDB
import OmniAPI
import OmniWorkerAPI
import Testing

@testable import OmniStore

/// Databases of earlier programs. `version2.sqlite` was written by the stores of before the migrator (commit 9abab8e).
@Suite struct MigrationTests {
    private func old() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "omni-migration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let source = try #require(Bundle.module.url(forResource: "Fixtures/version2", withExtension: "sqlite"))
        try FileManager.default.copyItem(at: source, to: folder.appending(path: "omni.sqlite"))
        return folder
    }

    @Test func jobsOfAnEarlierProgramAreThere() async throws {
        let folder = try old()
        let store = SQLiteJobStore(try OmniStore.Database(folder: folder))
        let jobs = try await store.page(after: nil, limit: nil, newestFirst: false).jobs
        #expect(jobs.map(\.id) == ["a", "b", "c", "done", "told", "d"])
        #expect(jobs[0].status == .failed && jobs[0].attempts == 25 && jobs[0].error?.message.contains("died 25 times") == true)
        #expect(jobs[1].status == .inProgress && jobs[1].remote == RemoteJob(place: "http://far", id: "r1"))
        #expect(jobs[3].result?.clip == "clip.2.mp4" && jobs[3].result?.stageDurations["decode"]?.doubleValue == 0.5)
        #expect(jobs[4].request.webhookURL == "http://a/b" && jobs[4].webhookAt == 1000 && jobs[4].deaths == 3)
        #expect(jobs[5].idempotencyKey == "k" && jobs[5].fingerprint == "2")
        // It goes on from there: a new job has the next number.
        var request = VideoGenerationRequest()
        request.prompt = "new"
        let made = try await store.create(NewJob(id: "new", model: "wan", modelName: "wan", request: request, seed: 1), mostQueued: 10).job
        #expect(made.number > jobs[5].number)
        #expect(try await store.claim(models: ["wan"])?.id == "c")
    }

    @Test func voicesOfAnEarlierProgramAreThere() async throws {
        let store = try SQLiteVoiceStore(OmniStore.Database(folder: try old()))
        let voices = try await store.all()
        #expect(voices.map(\.voice.name) == ["Alice", "Bob"])
        #expect(voices[0].embedding?.count == 3 && voices[0].samplePath == nil && voices[0].voice.embeddingDimension == 3)
        #expect(voices[1].samplePath != nil && voices[1].voice.refText == "hello")
    }

    @Test("an old database and a new one are the same, and are opened again and again") func schemas() async throws {
        func schema(_ folder: URL) throws -> [String] {
            let database = try OmniStore.Database(folder: folder)
            return try database.pool.read { database in
                try String.fetchAll(database, sql: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name") + [
                    String(Int.fetchOne(database, sql: "PRAGMA user_version") ?? -1)
                ]
            }
        }
        let (earlier, fresh) = (try old(), FileManager.default.temporaryDirectory.appending(path: "omni-migration-\(UUID().uuidString)"))
        let first = try schema(earlier)
        #expect(try first == schema(fresh) && first == schema(earlier) && first.last == "3")
    }

    @Test func aDatabaseOfALaterProgramIsRefused() throws {
        let folder = try old()
        try OmniStore.Database(folder: folder).pool.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99')") }
        let error = #expect(throws: APIError.self) { try OmniStore.Database(folder: folder) }
        #expect(error?.message.contains("later version") == true)
    }
}
