import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniStore
import OmniWorkerAPI

/// Runs video jobs: claim → run → keep the result → mark it done. Jobs of one model run one after the other, in the order in
/// which they came; all that a job needs to run again after a crash lies in its row and its folder.
public actor JobRunner {
    public struct Settings: Sendable {
        /// Jobs of local models that are worked on at once; `--max-jobs`.
        public var maxJobs: Int
        /// Jobs that may wait; `--max-job-queue`.
        public var mostQueued: Int
        /// Seconds for which a server elsewhere may take no job, or say nothing of one that it has, before the job is given up.
        public var peerTimeout: Double

        public init(maxJobs: Int = 1, mostQueued: Int = 1000, peerTimeout: Double = 3600) {
            self.maxJobs = maxJobs
            self.mostQueued = mostQueued
            self.peerTimeout = peerTimeout
        }
    }

    private struct Running {
        let job: StoredJob
        let isRemote: Bool
        /// The work; may be cancelled.
        let attempt: Task<JobOutcome, Never>
        /// The work and its book-keeping, which is never cancelled: a cancelled task cannot write to the store.
        let whole: Task<Void, Never>
    }

    /// Jobs that one server elsewhere is given at once; it has a queue of its own.
    private static let mostRemote = 8

    public nonisolated let store: any JobStore
    public nonisolated let files: JobFiles
    public nonisolated let board: JobProgressTracker
    public nonisolated let settings: Settings
    private let catalogue: Catalogue
    private let logger: Logger
    private let meter = JobMeter()
    private let clock: JobClock
    private var running: [String: Running] = [:]
    /// Of models elsewhere that take no jobs now.
    private var peers: [String: PeerQueue] = [:]
    /// Jobs that a server elsewhere may have although it did not say so.
    private var mayBeThere: Set<String> = []
    /// Fills the queue anew once a peer may be asked again.
    private var retry: (at: Double, task: Task<Void, Never>)?
    /// The filling of free places that is under way.
    private var filling: Task<Void, Never>?
    private var wantsFill = false
    private var isDraining = false
    private var isStopping = false

    public init(
        store: any JobStore, files: JobFiles, board: JobProgressTracker = JobProgressTracker(), catalogue: Catalogue,
        settings: Settings = Settings(), clock: JobClock = .system,
        logger: Logger
    ) {
        self.clock = clock
        self.store = store
        self.files = files
        self.board = board
        self.catalogue = catalogue
        self.settings = settings
        self.logger = logger
    }

    // MARK: - Life

    /// Takes up what the server left when it ended, however it ended. To be called once, before anything else.
    public func start() async throws {
        let recovery = try await store.recover()
        await onDisk { [files] in files.removeAll(except: recovery.ids, keeping: recovery.keptFiles) }
        if !recovery.requeued.isEmpty || !recovery.remote.isEmpty || !recovery.givenUp.isEmpty {
            logger.notice(
                "interrupted video jobs",
                metadata: [
                    "requeued": "\(recovery.requeued.count)", "given_up": "\(recovery.givenUp.count)",
                    "elsewhere": "\(recovery.remote.count)",
                ])
        }
        try await failUnserved(recovery)
        for job in recovery.remote { if let entry = entry(job.model) { begin(job, on: entry) } }
        fill()
    }

    /// A job whose model is not served any more would wait for ever.
    private func failUnserved(_ recovery: JobRecovery) async throws {
        let queued = try await store.queues().filter { entry($0.key) == nil }
        for model in queued.keys {
            while let job = try await store.claim(models: [model]) { try await failUnserved(job) }
        }
        for job in recovery.remote where entry(job.model) == nil { try await failUnserved(job) }
    }

    private func failUnserved(_ job: StoredJob) async throws {
        let error = VideoJobError(code: 404, message: "The server was started again without the model `\(job.model)`.")
        if let failed = try await store.change(job.id, .failed(attempt: job.attempts, error)) { meter.ended(failed) }
        await onDisk { [files] in files.remove(job.id) }
    }

    /// Begins no more jobs and puts those that run back into the queue, except those that a client waits for.
    public func drain() async {
        isDraining = true
        await endFilling()
        await cancel(running.values.filter { !$0.job.isSync })
    }

    /// The same with all of them.
    public func stop() async {
        (isDraining, isStopping) = (true, true)
        await endFilling()
        await cancel(Array(running.values))
    }

    /// A claim that is under way ends first: what it has claimed goes back, and nothing begins afterwards.
    private func endFilling() async {
        retry?.task.cancel()
        await filling?.value
    }

    private func cancel(_ runs: [Running]) async {
        for run in runs { run.attempt.cancel() }
        for run in runs { await run.whole.value }
    }

    // MARK: - Jobs

    /// Keeps a job and queues it. Its folder, if it needs one, is there already.
    public func submit(_ job: NewJob) async throws -> JobCreation {
        guard !isDraining else {
            throw APIError(.unavailable, "The server is about to end.", remedy: "Try again in a moment.", retryAfter: 5)
        }
        let creation = try await store.create(job, mostQueued: settings.mostQueued)
        fill()
        return creation
    }

    /// Removes a job in whatever state it is, with its files; a running one is stopped within a step. False when there is none.
    public func delete(_ id: String) async throws -> Bool {
        guard let job = try await store.remove(id) else { return false }
        if !job.status.isOver { meter.cancelled(job) }
        if let run = running[id] {
            run.attempt.cancel()
            await run.whole.value
        }
        await onDisk { [files] in files.remove(id) }
        board.tell(id)
        return true
    }

    /// Ids of a model's jobs that run now.
    public func runningJobs(of model: String) -> [String] { running.values.filter { $0.job.model == model }.map(\.job.id) }

    /// Figures of the jobs in Prometheus' text format. Looks at the files of all jobs.
    public func metrics() async -> String {
        let queues = (try? await store.queues()) ?? [:]
        let bytes = await onDisk { [files] in files.usedBytes }
        let runningModels = running.values.map(\.job.model)
        let able = catalogue.entries.filter { $0.kind != nil && $0.can(.video) }.map(\.id)
        let models = Set(able).union(queues.keys).union(runningModels)
        let counts = models.map { model in (model, (waiting: queues[model]?.count ?? 0, running: runningModels.count { $0 == model })) }
        return meter.text(queues: Dictionary(uniqueKeysWithValues: counts), storedBytes: bytes)
    }

    // MARK: - The queue

    private func fill() {
        wantsFill = true
        guard filling == nil else { return }
        filling = Task {
            while wantsFill {
                wantsFill = false
                while let (job, entry) = await next() { begin(job, on: entry) }
            }
            filling = nil
            scheduleRetry()
        }
    }

    /// Looks again once the first of the peers that take no jobs now may be asked.
    private func scheduleRetry() {
        let now = clock.now()
        guard !isDraining, let due = peers.values.compactMap({ $0.opens(after: now) }).min(), retry.map({ due < $0.at }) ?? true else {
            return
        }
        retry?.task.cancel()
        let task = Task { [clock] in
            guard (try? await clock.sleep(due - now)) != nil else { return }
            retry = nil
            fill()
        }
        retry = (due, task)
    }

    private func next() async -> (StoredJob, CatalogueEntry)? {
        guard !isDraining else { return nil }
        do {
            guard let job = try await store.claim(models: freeModels), let entry = entry(job.model) else { return nil }
            guard isDraining else { return (job, entry) }
            // The server began to end meanwhile. Where this fails, the next start finds the row as if the server had died.
            _ = try await store.change(job.id, .interrupted(attempt: job.attempts, .serverStopped))
            return nil
        } catch {
            logger.error("the next video job cannot be claimed", metadata: ["error": "\(error)"])
            Task { [clock] in
                try? await clock.sleep(1)
                self.fill()
            }
            return nil
        }
    }

    /// Models that can begin a job now.
    private var freeModels: [String] {
        let local = running.values.count { !$0.isRemote }
        let now = clock.now()
        return catalogue.entries.filter { entry in
            let own = running.values.count { $0.job.model == entry.id }
            return entry.kind == nil
                ? own < Self.mostRemote && peers[entry.id]?.isOpen(now: now) ?? true : own == 0 && local < settings.maxJobs
        }.map(\.id)
    }

    private func entry(_ model: String) -> CatalogueEntry? { catalogue.entries.first { $0.id == model && $0.can(.video) } }

    private func begin(_ job: StoredJob, on entry: CatalogueEntry) {
        board.begin(job.id)
        meter.began(job)
        if job.remote == nil { peers[job.model]?.began() }
        let attempt = Task { await self.attempt(job, on: entry) }
        let whole = Task { await finish(job, on: entry, with: await attempt.value) }
        running[job.id] = Running(job: job, isRemote: entry.kind == nil, attempt: attempt, whole: whole)
    }

    private func finish(_ job: StoredJob, on entry: CatalogueEntry, with outcome: JobOutcome) async {
        let outcome = entry.kind == nil ? heard(outcome, of: job) : outcome
        let row = await keep(job, outcome)
        await clean(job, row)
        let kept: StoredJob? = if case .kept(let kept) = row { kept } else { nil }
        log(job, outcome, kept)
        if let kept, kept.status.isOver, let remote = kept.remote { await PeerAttempt.forget(remote, entry.backend) }
        running[job.id] = nil
        let stages = board.end(job.id, model: job.model, learning: kept?.status == .completed)
        if let kept { meter.ended(kept, stages: stages) }
        fill()
    }

    /// What an attempt elsewhere says about the peer; the outcome, which is another once the time is over.
    private func heard(_ outcome: JobOutcome, of job: StoredJob) -> JobOutcome {
        guard case .refused(let refusal) = outcome else {
            mayBeThere.remove(job.id)
            if case .interrupted(.serverStopped) = outcome { peers[job.model]?.withdrawn() } else { peers[job.model] = nil }
            return outcome
        }
        let now = clock.now()
        // A proxy that gave up, or an answer that did not come: the request may have got through.
        if [408, 502, 504].contains(refusal.error.code) { mayBeThere.insert(job.id) }
        peers[job.model, default: PeerQueue()].refused(now: now, retryAfter: refusal.retryAfter)
        let since = max(peers[job.model]?.refusedSince ?? now, job.createdAt)
        guard now - since >= settings.peerTimeout else { return outcome }
        mayBeThere.remove(job.id)
        let reason = "The server elsewhere took no job for \(Int(now - since)) seconds, last so: \(refusal.error.message)"
        return .failed(VideoJobError(code: refusal.error.code, message: reason))
    }

    private func accepted(_ job: StoredJob) {
        peers[job.model] = nil
        fill()
    }

    private func attempt(_ job: StoredJob, on entry: CatalogueEntry) async -> JobOutcome {
        // A deletion that came between the claim and now has found nothing to stop.
        if await store.isGone(job.id) { return .interrupted(.serverStopped) }
        let attempt = JobAttempt(job: job, files: files, board: board, store: store, clock: clock)
        guard entry.kind == nil else { return await attempt.run(on: entry.backend) }
        let peer = PeerAttempt(
            attempt: attempt, backend: entry.backend, timeout: settings.peerTimeout,
            mayBeThere: job.attempts > 1 || mayBeThere.contains(job.id),
            onAccepted: { await self.accepted(job) })
        return await peer.run()
    }

    /// What became of a row.
    private enum Row {
        case kept(StoredJob), gone
        /// The store cannot be asked, or another change was faster: the files are not ours to touch.
        case unknown
    }

    /// Marks the outcome, however long the disk refuses that: without it the job would seem to run for ever.
    private func keep(_ job: StoredJob, _ outcome: JobOutcome) async -> Row {
        let change = outcome.change(attempt: job.attempts)
        while true {
            do {
                if let kept = try await store.change(job.id, change) { return .kept(kept) }
                return try await store.job(job.id) == nil ? .gone : .unknown
            } catch {
                logger.error("the outcome of a video job cannot be kept", metadata: ["job": .string(job.id), "error": "\(error)"])
                // The next start finds the row as if the server had died.
                guard !isStopping else { return .unknown }
                try? await clock.sleep(1)
            }
        }
    }

    /// What stays in the folder: the results of a completed job; for another attempt the inputs and the latents.
    private func clean(_ job: StoredJob, _ row: Row) async {
        await onDisk { [files] in
            switch row {
            case .kept(let kept) where kept.status == .completed:
                files.remove(of: job.id, allBut: kept.result?.files ?? [])
            case .kept(let kept) where !kept.status.isOver: files.remove(of: job.id, allBut: [JobFiles.picture, JobFiles.latents])
            case .kept, .gone: files.remove(job.id)
            case .unknown: break
            }
        }
    }

    private func log(_ job: StoredJob, _ outcome: JobOutcome, _ kept: StoredJob?) {
        let level: Logger.Level = if case .completed = outcome { .info } else { .warning }
        logger.log(
            level: level, "video job",
            metadata: ["job": .string(job.id), "outcome": "\(outcome.summary)", "status": .string(kept?.status.rawValue ?? "none")])
    }
}
