import Foundation
import OmniAPI
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniStore

/// A clock that tests set.
private final class Clock: Sendable {
    private let seconds = Mutex(1000.0)
    var now: Double { seconds.withLock { $0 } }
    func advance(_ by: Double) { seconds.withLock { $0 += by } }
}

/// Each test runs on the database and on its twin in memory.
@Suite struct JobStoreTests {
    enum Kind: CaseIterable, Sendable { case sqlite, memory }

    private struct Bench {
        let store: any JobStore
        let clock = Clock()
        let folder = FileManager.default.temporaryDirectory.appending(path: "jobs-\(UUID().uuidString)")

        init(_ kind: Kind) throws {
            let clock = clock
            switch kind {
            case .sqlite: store = SQLiteJobStore(try Database(folder: folder), keepFor: 60) { clock.now }
            case .memory: store = MemoryJobStore(keepFor: 60) { clock.now }
            }
        }

        func make(_ id: String, model: String = "wan", most: Int = 100, _ set: (inout NewJob) -> Void = { _ in }) async throws
            -> JobCreation
        {
            var request = VideoGenerationRequest()
            request.prompt = "x"
            var job = NewJob(id: id, model: model, modelName: model, request: request, seed: 7)
            set(&job)
            return try await store.create(job, mostQueued: most)
        }
    }

    @Test(arguments: Kind.allCases) func jobsAreClaimedOnceAndInOrder(kind: Kind) async throws {
        let bench = try Bench(kind)
        for (id, model) in [("a", "wan"), ("b", "other"), ("c", "wan")] { _ = try await bench.make(id, model: model) }
        #expect(try await bench.store.queues() == ["wan": ["a", "c"], "other": ["b"]])
        #expect(try await bench.store.claim(models: ["wan"])?.id == "a")
        #expect(try await bench.store.claim(models: ["wan", "other"])?.id == "b")
        #expect(try await bench.store.claim(models: ["wan"])?.id == "c")
        #expect(try await bench.store.claim(models: ["wan", "other"]) == nil)
        #expect(try await bench.store.claim(models: []) == nil)
    }

    @Test(arguments: Kind.allCases) func whatComesLateChangesNothing(kind: Kind) async throws {
        let bench = try Bench(kind)
        _ = try await bench.make("a")
        #expect(try await bench.store.change("a", .completed(attempt: 0, VideoTaskResult())) == nil, "it does not run")
        _ = try await bench.store.claim(models: ["wan"])
        let requeued = try await bench.store.change("a", .interrupted(attempt: 1, .workerDied("signal 9")))
        #expect(requeued?.status == .queued && requeued?.deaths == 1)
        _ = try await bench.store.claim(models: ["wan"])
        #expect(
            try await bench.store.change("a", .failed(attempt: 1, VideoJobError(code: 500, message: "late"))) == nil,
            "the attempt was given up")
        var result = VideoTaskResult()
        (result.clip, result.bytes, result.stageDurations) = ("clip.2.mp4", 9, JSONObject([("decode", 0.5)]))
        let done = try await bench.store.change("a", .completed(attempt: 2, result))
        #expect(done?.status == .completed && done?.expiresAt == 1060 && done?.completedAt == 1000)
        #expect(try await bench.store.job("a") == done)
        #expect(try await bench.store.change("a", .failed(attempt: 2, VideoJobError())) == nil, "what is over stays over")
    }

    @Test(arguments: Kind.allCases) func aJobThatKillsItsWorkersIsGivenUp(kind: Kind) async throws {
        let bench = try Bench(kind)
        _ = try await bench.make("a") { $0.request.webhookURL = "http://a/b" }
        for attempt in 1...StoredJob.mostDeaths {
            _ = try await bench.store.claim(models: ["wan"])
            _ = try await bench.store.change("a", .interrupted(attempt: attempt, .workerDied("signal 6")))
        }
        let job = try #require(try await bench.store.job("a"))
        #expect(job.status == .failed && job.error?.code == 500 && job.error?.message.contains("signal 6") == true)
        #expect(job.webhookAt != nil, "its end is told")
    }

    @Test(arguments: Kind.allCases) func aStopInGoodOrderCountsForNothing(kind: Kind) async throws {
        let bench = try Bench(kind)
        let made = try await bench.make("a").job
        for _ in 1...40 {
            let claimed = try #require(try await bench.store.claim(models: ["wan"]))
            _ = try await bench.store.change("a", .interrupted(attempt: claimed.attempts, .serverStopped))
        }
        #expect(try await bench.store.job("a") == made)
    }

    @Test(arguments: Kind.allCases) func recoverySortsWhatWasInterrupted(kind: Kind) async throws {
        let bench = try Bench(kind)
        for id in ["a", "b", "c"] { _ = try await bench.make(id) }
        _ = try await bench.make("s") { $0.isSync = true }
        for _ in 1...2 { _ = try await bench.store.claim(models: ["wan"]) }
        _ = try await bench.store.change("b", .forwarded(attempt: 1, RemoteJob(place: "http://far", id: "r1")))
        let recovery = try await bench.store.recover()
        #expect(recovery.ids == ["a", "b", "c"] && recovery.requeued == ["a"] && recovery.remote.map(\.id) == ["b"])
        #expect(recovery.remote.first?.remote == RemoteJob(place: "http://far", id: "r1"))
        #expect(try await bench.store.claim(models: ["wan"])?.id == "a", "it keeps its place")
        for _ in 3...StoredJob.mostAttempts {
            _ = try await bench.store.recover()
            _ = try await bench.store.claim(models: ["wan"])
        }
        let last = try await bench.store.recover()
        #expect(last.givenUp == ["a"] && last.keptFiles == ["a": []])
        #expect(try await bench.store.job("a")?.error?.message.contains("died") == true)
    }

    @Test(arguments: Kind.allCases) func anIdempotencyKeyMakesOneJob(kind: Kind) async throws {
        let bench = try Bench(kind)
        func send(_ id: String, _ print: String) async throws -> JobCreation {
            try await bench.make(id) { ($0.idempotencyKey, $0.fingerprint) = ("k", print) }
        }
        let first = try await send("a", "1")
        #expect(try await send("b", "1") == .existing(first.job))
        let error = await #expect(throws: APIError.self) { try await send("c", "2") }
        #expect(error?.status == 409)
        _ = try await bench.store.remove("a")
        #expect(try await send("d", "2").job.id == "d", "the key goes with its job")
    }

    @Test(arguments: Kind.allCases) func theQueueIsBounded(kind: Kind) async throws {
        let bench = try Bench(kind)
        _ = try await bench.make("a", most: 1)
        let error = await #expect(throws: APIError.self) { try await bench.make("b", most: 1) }
        #expect(error?.status == 503 && error?.retryAfter != nil)
    }

    @Test(arguments: Kind.allCases) func pagesFollowEachOther(kind: Kind) async throws {
        let bench = try Bench(kind)
        for number in 1...5 { _ = try await bench.make("j\(number)") }
        _ = try await bench.make("hidden") { $0.isSync = true }
        let first = try await bench.store.page(after: nil, limit: 2, newestFirst: true)
        #expect(first.jobs.map(\.id) == ["j5", "j4"] && first.hasMore)
        _ = try await bench.make("j6")
        let second = try await bench.store.page(after: "j4", limit: 2, newestFirst: true)
        #expect(second.jobs.map(\.id) == ["j3", "j2"] && second.hasMore, "a new job moves no page")
        let last = try await bench.store.page(after: "j2", limit: 2, newestFirst: true)
        #expect(last.jobs.map(\.id) == ["j1"] && !last.hasMore)
        #expect(try await bench.store.page(after: nil, limit: nil, newestFirst: false).jobs.count == 6)
        let none = try await bench.store.page(after: nil, limit: 0, newestFirst: true)
        #expect(none.jobs.isEmpty && none.hasMore)
        #expect(try await bench.store.page(after: "nope", limit: 5, newestFirst: true) == JobPage())
    }

    @Test(arguments: Kind.allCases) func webhooksComeDueAndAreTriedAgain(kind: Kind) async throws {
        let bench = try Bench(kind)
        _ = try await bench.make("a") { $0.request.webhookURL = "http://a/b" }
        _ = try await bench.store.claim(models: ["wan"])
        #expect(try await bench.store.dueWebhooks(limit: 9).due.isEmpty)
        _ = try await bench.store.change("a", .failed(attempt: 1, VideoJobError(code: 400, message: "no")))
        #expect(try await bench.store.dueWebhooks(limit: 9).due.map(\.id) == ["a"])
        _ = try await bench.store.change("a", .webhookCalled(retryAfter: 30))
        let waiting = try await bench.store.dueWebhooks(limit: 9)
        #expect(waiting.due.isEmpty && waiting.next == 1030)
        bench.clock.advance(31)
        #expect(try await bench.store.dueWebhooks(limit: 9).due.first?.webhookAttempts == 1)
        _ = try await bench.store.change("a", .webhookCalled(retryAfter: nil))
        #expect(try await bench.store.dueWebhooks(limit: 9).next == nil)
    }

    @Test(arguments: Kind.allCases) func filesGoBeforeRows(kind: Kind) async throws {
        let bench = try Bench(kind)
        _ = try await bench.make("a")
        _ = try await bench.store.claim(models: ["wan"])
        _ = try await bench.store.change("a", .completed(attempt: 1, VideoTaskResult()))
        #expect(try await bench.store.expired().isEmpty)
        bench.clock.advance(60)
        #expect(try await bench.store.expired().map(\.id) == ["a"])
        #expect(try await bench.store.change("a", .filesExpired)?.result?.isExpired == true)
        #expect(try await bench.store.expired().isEmpty)
        bench.clock.advance(JobLimits.rowsOutlive)
        #expect(try await bench.store.expired().map(\.id) == ["a"])
    }

    @Test(arguments: Kind.allCases) func failedJobsGoAsLateAsCompletedOnes(kind: Kind) async throws {
        let bench = try Bench(kind)
        for id in ["failed", "deadly", "waiting"] { _ = try await bench.make(id, model: id) }
        for model in ["failed", "deadly"] { _ = try await bench.store.claim(models: [model]) }
        _ = try await bench.store.change("failed", .failed(attempt: 1, VideoJobError(code: 400, message: "no")))
        for attempt in 1...StoredJob.mostDeaths {
            _ = try await bench.store.change("deadly", .interrupted(attempt: attempt, .workerDied("signal 6")))
            _ = try await bench.store.claim(models: ["deadly"])
        }
        bench.clock.advance(60 + JobLimits.rowsOutlive - 1)
        #expect(try await bench.store.expired().isEmpty, "a late poll still learns the reason")
        bench.clock.advance(1)
        #expect(Set(try await bench.store.expired().map(\.id)) == ["failed", "deadly"])
    }

    @Test func jobsOutliveTheirServer() async throws {
        let bench = try Bench(.sqlite)
        let made = try await bench.make("a") { ($0.hasPicture, $0.idempotencyKey, $0.fingerprint) = (true, "k", "f") }.job
        let later = SQLiteJobStore(try Database(folder: bench.folder))
        #expect(try await later.job("a") == made)
    }
}

@Suite struct JobFilesTests {
    let folder = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID().uuidString)")

    @Test func theLeavingsOfACrashAreClearedAway() throws {
        let files = try JobFiles(folder: folder)
        try DurableFile.write([1, 2], to: files.newUpload())
        for id in ["known", "orphan", "over"] {
            try files.makeFolder(of: id)
            try DurableFile.write([3], to: files.path("clip.mp4", of: id))
            try DurableFile.write([4], to: files.path("clip.mp4.partial", of: id))
            try DurableFile.write([5], to: files.path(JobFiles.latents, of: id))
        }
        let again = try JobFiles(folder: folder)
        again.removeAll(except: ["known", "over"], keeping: ["over": ["clip.mp4"]])
        let left = ["known", "known/clip.mp4", "known/latents", "over", "over/clip.mp4"].map { "blobs/jobs/\($0)" }
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() == ["blobs", "blobs/jobs"] + left + [
                "blobs/trash", "blobs/uploads",
            ])
    }

    @Test func theQuotaCountsEverything() throws {
        let files = try JobFiles(folder: folder, quota: 10)
        try files.makeFolder(of: "a")
        try DurableFile.write([UInt8](repeating: 0, count: 6), to: files.path("clip.mp4", of: "a"))
        #expect(try files.room() == 4)
        let error = #expect(throws: APIError.self) { try files.room(for: 5) }
        #expect(error?.status == 507)
        files.remove("a")
        #expect(try files.room() == 10)
    }

    @Test func aFullDiskLeavesNothingBehind() throws {
        let files = try JobFiles(folder: folder)
        let full = open("/dev/full", O_WRONLY)
        defer { close(full) }
        let error = #expect(throws: APIError.self) {
            try [UInt8](repeating: 1, count: 9).withUnsafeBytes { try DurableFile.append($0, to: full) }
        }
        #expect(error?.status == 507)
        #expect(throws: APIError.self) { try DurableFile.write([1], to: files.path("clip", of: "no-such-job")) }
        #expect(files.usedBytes == 0)
    }
}
