import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import OmniAPI
import OmniEngine
import OmniStore
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniGateway

/// A worker that does as it is told, one behaviour for each order.
private final class ScriptedBackend: Backend {
    enum Behaviour: Sendable {
        case videos
        /// Breaks after a report.
        case dies
        case refuses(status: Int)
        /// Videos until it is cancelled.
        case hangs
        /// Is not up yet.
        case unavailable
    }

    private let script: Mutex<[Behaviour]>
    /// Ids of jobs in the order in which they came, `!` before those that were cancelled.
    let log = Mutex<[String]>([])
    let busy = Mutex((now: 0, most: 0))

    let state: BackendStatus.State

    init(_ script: [Behaviour] = [], state: BackendStatus.State = .ready) {
        self.script = Mutex(script)
        self.state = state
    }

    var status: BackendStatus { BackendStatus(state: state, root: "") }
    var outstanding: Int { 0 }
    func sleep() async -> Bool { false }
    func wake() async throws -> Bool { false }
    func shutdown() async {}

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        let order = try VideoTask(json: try JSONValue.parse(String(buffer: request.body ?? ByteBuffer())))
        log.withLock { $0.append(order.id) }
        busy.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
        defer { busy.withLock { $0.now -= 1 } }
        switch script.withLock({ $0.isEmpty ? .videos : $0.removeFirst() }) {
        case .videos:
            var result = VideoTaskResult()
            result.clip = "clip.mp4"
            try DurableFile.write([1, 2, 3], to: "\(order.folder)/clip.mp4")
            try DurableFile.write([1], to: "\(order.folder)/latents")
            return reply([.progress(.denoise, step: 1, steps: 2), .done(result)])
        case .dies: return reply([.progress(.denoise, step: 1, steps: 2)])
        case .refuses(let status):
            return UpstreamResponse(
                status: status, headers: [], body: UpstreamBody(.bytes(ByteBuffer(bytes: APIError(.badRequest, "no").json.jsonBytes))))
        case .hangs:
            do { try await Task.sleep(for: .seconds(3600)) } catch {
                log.withLock { $0.append("!\(order.id)") }
                throw error
            }
            return reply([])
        case .unavailable: throw APIError(.unavailable, "loading")
        }
    }

    private func reply(_ reports: [VideoTaskEvent]) -> UpstreamResponse {
        let text = reports.map { $0.json.jsonText + "\n" }.joined()
        return UpstreamResponse(status: 200, headers: [], body: UpstreamBody(.bytes(ByteBuffer(string: text))))
    }
}

/// A store whose disk is full for the next few changes.
private actor FullDiskStore: JobStore {
    let inner = MemoryJobStore()
    var faults: Int

    init(faults: Int) { self.faults = faults }

    func create(_ job: NewJob, mostQueued: Int) async throws -> JobCreation { try await inner.create(job, mostQueued: mostQueued) }
    func job(_ id: String) async throws -> StoredJob? { await inner.job(id) }
    func page(after: String?, limit: Int?, newestFirst: Bool) async throws -> JobPage {
        await inner.page(after: after, limit: limit, newestFirst: newestFirst)
    }
    func claim(models: [String]) async throws -> StoredJob? { await inner.claim(models: models) }
    func change(_ id: String, _ change: JobChange) async throws -> StoredJob? {
        if faults > 0 {
            faults -= 1
            throw APIError(.insufficientStorage, "full")
        }
        return await inner.change(id, change)
    }
    func remove(_ id: String) async throws -> StoredJob? { await inner.remove(id) }
    func queues() async throws -> [String: [String]] { await inner.queues() }
    func recover() async throws -> JobRecovery { await inner.recover() }
    func expired() async throws -> [StoredJob] { await inner.expired() }
    func dueWebhooks(limit: Int) async throws -> (due: [StoredJob], next: Double?) { await inner.dueWebhooks(limit: limit) }
}

/// A store whose first claim is under way until it is opened.
private actor GatedStore: JobStore {
    let inner = MemoryJobStore()
    private var isOpen = false
    private var claimed: StoredJob?
    private var claiming: [CheckedContinuation<Void, Never>] = []
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func claim(models: [String]) async throws -> StoredJob? {
        guard let job = await inner.claim(models: models) else { return nil }
        claimed = job
        waiting.forEach { $0.resume() }
        waiting = []
        if !isOpen { await withCheckedContinuation { claiming.append($0) } }
        return job
    }

    /// Returns once a claim is under way.
    func waitForClaim() async { if claimed == nil { await withCheckedContinuation { waiting.append($0) } } }

    func open() {
        isOpen = true
        claiming.forEach { $0.resume() }
        claiming = []
    }

    func create(_ job: NewJob, mostQueued: Int) async throws -> JobCreation { try await inner.create(job, mostQueued: mostQueued) }
    func job(_ id: String) async throws -> StoredJob? { await inner.job(id) }
    func page(after: String?, limit: Int?, newestFirst: Bool) async throws -> JobPage {
        await inner.page(after: after, limit: limit, newestFirst: newestFirst)
    }
    func change(_ id: String, _ change: JobChange) async throws -> StoredJob? { await inner.change(id, change) }
    @discardableResult
    func remove(_ id: String) async -> StoredJob? { await inner.remove(id) }
    func queues() async throws -> [String: [String]] { await inner.queues() }
    func recover() async throws -> JobRecovery { await inner.recover() }
    func expired() async throws -> [StoredJob] { await inner.expired() }
    func dueWebhooks(limit: Int) async throws -> (due: [StoredJob], next: Double?) { await inner.dueWebhooks(limit: limit) }
}

@Suite struct JobRunnerTests {
    private struct Bench {
        let store: any JobStore
        let files: JobFiles
        let runner: JobRunner

        init(_ backends: [String: ScriptedBackend], store: any JobStore = MemoryJobStore(), files: JobFiles? = nil, maxJobs: Int = 1) throws
        {
            self.store = store
            self.files =
                try files ?? JobFiles(folder: FileManager.default.temporaryDirectory.appending(path: "runner-\(UUID().uuidString)"))
            let catalogue = try Catalogue(
                backends.sorted { $0.key < $1.key }.map { CatalogueEntry(id: $0.key, kind: .video, backend: $0.value) })
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            runner = JobRunner(store: store, files: self.files, catalogue: catalogue, settings: .init(maxJobs: maxJobs), logger: logger)
        }

        func submit(_ id: String, to model: String = "wan") async throws {
            var request = VideoGenerationRequest()
            request.prompt = "x"
            _ = try await runner.submit(NewJob(id: id, model: model, modelName: model, request: request, seed: 1))
        }

        /// The job once `test` holds.
        func wait(_ id: String, until test: (StoredJob) -> Bool = { $0.status.isOver }) async throws -> StoredJob {
            let end = ContinuousClock.now + .seconds(300)
            while ContinuousClock.now < end {
                if let job = try await store.job(id), test(job) { return job }
                try await Task.sleep(for: .milliseconds(2))
            }
            throw APIError(.timeout, "\(id) never got there")
        }

        /// Names in a job's folder, once the job's book-keeping is over.
        func settled(_ id: String, as names: [String]) async throws -> Bool {
            let end = ContinuousClock.now + .seconds(300)
            while ContinuousClock.now < end {
                let found = (try? FileManager.default.contentsOfDirectory(atPath: files.folder(of: id)))?.sorted() ?? []
                if found == names { return true }
                try await Task.sleep(for: .milliseconds(2))
            }
            return false
        }
    }

    @Test func jobsOfAModelRunInOrderAndOneAtATime() async throws {
        let backend = ScriptedBackend()
        let bench = try Bench(["wan": backend], maxJobs: 4)
        try await bench.runner.start()
        for number in 1...5 { try await bench.submit("j\(number)") }
        for number in 1...5 { #expect(try await bench.wait("j\(number)").status == .completed) }
        let (order, most) = (backend.log.withLock { $0 }, backend.busy.withLock { $0.most })
        #expect(order == ["j1", "j2", "j3", "j4", "j5"] && most == 1)
        #expect(try await bench.settled("j5", as: ["clip.mp4"]), "the latents go once the clip is there")
    }

    @Test func modelsShareThePlaces() async throws {
        let (one, two) = (ScriptedBackend([.hangs]), ScriptedBackend())
        let bench = try Bench(["one": one, "two": two])
        try await bench.runner.start()
        try await bench.submit("a", to: "one")
        _ = try await bench.wait("a") { $0.status == .inProgress }
        try await bench.submit("b", to: "two")
        #expect(try await bench.store.job("b")?.status == .queued)
        #expect(try await bench.runner.delete("a"))
        #expect(try await bench.wait("b").status == .completed)
    }

    @Test("a job of a model that cannot be served ends with the reason, and is never sent")
    func failedModel() async throws {
        let backend = ScriptedBackend(state: .failed(reason: "The file is cut short."))
        let bench = try Bench(["wan": backend])
        try await bench.runner.start()
        try await bench.submit("a")
        let job = try await bench.wait("a")
        #expect(job.status == .failed && job.error?.code == 503 && job.error?.message.contains("The file is cut short.") == true)
        #expect(job.deaths == 0 && backend.log.withLock { $0.isEmpty })
    }

    @Test func aDeadWorkerIsTriedAgain() async throws {
        let bench = try Bench(["wan": ScriptedBackend([.dies, .unavailable, .dies])])
        try await bench.runner.start()
        try await bench.submit("a")
        let job = try await bench.wait("a")
        #expect(job.status == .completed && job.deaths == 2 && job.attempts == 3)
    }

    @Test func whatTheWorkerRefusesFailsWithItsReason() async throws {
        let bench = try Bench(["wan": ScriptedBackend([.refuses(status: 400)])])
        try await bench.runner.start()
        try await bench.submit("a")
        #expect(try await bench.wait("a").error == VideoJobError(code: 400, message: "no"))
        #expect(try await bench.settled("a", as: []))
    }

    @Test func deletingARunningJobCancelsIt() async throws {
        let backend = ScriptedBackend([.hangs])
        let bench = try Bench(["wan": backend])
        try await bench.runner.start()
        try await bench.submit("a")
        _ = try await bench.wait("a") { _ in backend.log.withLock { $0 } == ["a"] }
        #expect(try await bench.runner.delete("a"))
        #expect(backend.log.withLock { $0 } == ["a", "!a"])
        let (gone, again) = (try await bench.store.job("a"), try await bench.runner.delete("a"))
        #expect(gone == nil && !again)
        #expect(!FileManager.default.fileExists(atPath: bench.files.folder(of: "a")))
    }

    @Test func aFullDiskUnderTheStoreDelaysTheEndAndLosesNothing() async throws {
        let bench = try Bench(["wan": ScriptedBackend()], store: FullDiskStore(faults: 2))
        try await bench.runner.start()
        try await bench.submit("a")
        #expect(try await bench.wait("a").status == .completed)
    }

    @Test func aStopPutsRunningJobsBack() async throws {
        let backend = ScriptedBackend([.hangs])
        let bench = try Bench(["wan": backend])
        try await bench.runner.start()
        try await bench.submit("a")
        _ = try await bench.wait("a") { _ in backend.log.withLock { $0 } == ["a"] }
        await bench.runner.stop()
        let stopped = try #require(try await bench.store.job("a"))
        #expect(stopped.status == .queued && stopped.attempts == 0)
        let error = await #expect(throws: APIError.self) { try await bench.submit("b") }
        #expect(error?.status == 503)
        let next = try Bench(["wan": ScriptedBackend()], store: bench.store, files: bench.files)
        try await next.runner.start()
        #expect(try await next.wait("a").status == .completed)
    }

    @Test(arguments: [false, true]) func aStopDuringAClaimPutsTheJobBack(drains: Bool) async throws {
        let backend = ScriptedBackend()
        let store = GatedStore()
        let bench = try Bench(["wan": backend], store: store)
        try await bench.submit("a")
        await store.waitForClaim()
        let stop = Task { drains ? await bench.runner.drain() : await bench.runner.stop() }
        // The runner has begun to stop once it takes no more jobs.
        while (try? await bench.submit("never")) != nil {
            _ = await store.remove("never")
            await Task.yield()
        }
        await store.open()
        await stop.value
        let job = try #require(await store.inner.job("a"))
        #expect(job.status == .queued && job.attempts == 0)
        #expect(backend.log.withLock { $0 }.isEmpty, "nothing begins after a stop")
    }

    @Test func jobsOfAModelThatIsGoneFail() async throws {
        let bench = try Bench(["wan": ScriptedBackend([.hangs])])
        try await bench.submit("a")
        _ = try await bench.wait("a") { $0.status == .inProgress }
        let next = try Bench(["other": ScriptedBackend()], store: bench.store, files: bench.files)
        try await next.runner.start()
        #expect(try await next.wait("a").error?.code == 404)
        await bench.runner.stop()
    }
}

@Suite struct JobProgressTests {
    @Test func progressFollowsTheStagesAndNeverFalls() {
        var progress = JobProgress(now: 0)
        var seen: [Int] = []
        let reports: [(VideoTaskStage, Int, Int)] = [
            (.load, 50, 100), (.encode, 1, 1), (.denoise, 0, 10), (.denoise, 5, 10), (.denoise, 4, 10), (.denoise, 10, 10), (.decode, 0, 9),
            (.decode, 9, 9), (.mux, 1, 1),
        ]
        for (second, report) in reports.enumerated() {
            progress.report(report.0, step: report.1, steps: report.2, now: Double(second))
            seen.append(progress.percent)
        }
        #expect(seen == [2, 8, 8, 45, 45, 82, 82, 96, 99])
        #expect(progress.durations(now: 9).values.reduce(0, +) == 9)
    }

    @Test func theGuessGoesByTheStepsSoFar() {
        var progress = JobProgress(now: 0)
        progress.report(.encode, step: 1, steps: 1, now: 1)
        #expect(progress.secondsLeft(now: 1, speed: nil) == nil, "no ground yet")
        progress.report(.denoise, step: 0, steps: 10, now: 2)
        progress.report(.denoise, step: 2, steps: 10, now: 6)
        #expect(progress.secondsLeft(now: 6, speed: nil) == 8 * 2 + 20 * 0.25)
        #expect(progress.secondsLeft(now: 7, speed: nil) == 20, "time goes by between reports, too")
        progress.report(.decode, step: 1, steps: 4, now: 24)
        #expect(progress.secondsLeft(now: 24, speed: nil).map { $0 >= 0 } == true)
    }

    @Test func reportsAreReadAsTheyAreWritten() throws {
        var result = VideoTaskResult()
        (result.clip, result.stageDurations) = ("c", JSONObject([("mux", 1.5)]))
        for report in [VideoTaskEvent.progress(.mux, step: 0, steps: 1), .done(result), .failed(VideoJobError(code: 507, message: "full"))]
        {
            #expect(try VideoTaskEvent(json: try JSONValue.parse(report.json.jsonText)) == report)
        }
        #expect(try VideoTaskEvent(json: [:]) == nil)
    }
}
