import Foundation
import OmniAPI
import OmniStore
import Testing

@Suite("Uploaded voices")
struct VoiceStoreTests {
    private func folder() -> URL { FileManager.default.temporaryDirectory.appending(path: "omni-store-\(UUID().uuidString)") }

    private func alice(_ sample: [UInt8] = [1, 2, 3], name: String = "Alice") -> NewVoice {
        var voice = UploadedVoice()
        voice.name = name
        voice.consent = "cons_1"
        voice.createdAt = 1_700_000_000
        voice.mimeType = "audio/wav"
        voice.fileSize = sample.count
        voice.refText = "hello"
        return NewVoice(voice: voice, sample: sample)
    }

    private func files(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "blobs/voices").path)
    }

    @Test("survive the end of the process, with their samples")
    func survives() async throws {
        let folder = folder()
        let kept = try await SQLiteVoiceStore(Database(folder: folder)).keep(alice())
        let again = try SQLiteVoiceStore(Database(folder: folder))
        let found = try #require(try await again.voice(named: "ALICE"))
        #expect(found == kept)
        #expect(found.voice.refText == "hello" && found.voice.consent == "cons_1")
        #expect(try Data(contentsOf: URL(filePath: #require(found.samplePath))) == Data([1, 2, 3]))
    }

    @Test("the same name again replaces the voice and its sample, and shows the new spelling")
    func replaces() async throws {
        let folder = folder()
        let store = try SQLiteVoiceStore(Database(folder: folder))
        _ = try await store.keep(alice())
        _ = try await store.keep(alice([9], name: "ALICE"))
        #expect(try await store.all().map(\.voice.name) == ["ALICE"])
        #expect(try files(folder).count == 1)
    }

    @Test("removing frees the disk, and is false for a voice that is not there")
    func removes() async throws {
        let folder = folder()
        let store = try SQLiteVoiceStore(Database(folder: folder))
        _ = try await store.keep(alice())
        #expect(try await store.remove(named: "alice"))
        #expect(try await !store.remove(named: "alice"))
        #expect(try files(folder).isEmpty)
    }

    @Test("a file without a row, as a crash leaves it, is cleared away at start")
    func orphans() async throws {
        let folder = folder()
        _ = try SQLiteVoiceStore(Database(folder: folder))
        try Data([1]).write(to: folder.appending(path: "blobs/voices/voice-x.partial"))
        _ = try SQLiteVoiceStore(Database(folder: folder))
        #expect(try files(folder).isEmpty)
    }

    @Test("a name that looks like a path touches no path")
    func pathTricks() async throws {
        let folder = folder()
        let store = try SQLiteVoiceStore(Database(folder: folder))
        let kept = try await store.keep(alice(name: "../../etc/passwd"))
        #expect(try #require(kept.samplePath).hasPrefix(folder.appending(path: "blobs/voices/voice-").path))
    }

    @Test("an embedding comes back number by number")
    func embeddings() async throws {
        let store = try SQLiteVoiceStore(Database(folder: folder()))
        var new = alice()
        new.sample = nil
        new.embedding = [0.5, -1.25, 3e-7]
        let kept = try await store.keep(new)
        #expect(kept.embedding == [0.5, -1.25, 3e-7])
        #expect(kept.samplePath == nil && kept.voice.embeddingSource == .direct && kept.voice.embeddingDimension == 3)
    }

    @Test("a database of a later version is refused with a way out")
    func laterVersion() async throws {
        let folder = folder()
        _ = try Database(folder: folder)
        let file = folder.appending(path: "omni.sqlite").path
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('PRAGMA user_version=99'); c.commit()", file,
        ]
        try process.run()
        process.waitUntilExit()
        #expect(throws: APIError.self) { try Database(folder: folder) }
    }
}
