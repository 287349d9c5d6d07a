import Foundation
import OmniAPI
import OmniGateway
import OmniStore
import OmniWorkerAPI

extension VideoJobService {
    /// A job as clients see it; nil when there is none, or one that only its own request may see.
    func job(_ id: String) async throws -> StoredJob? {
        guard let job = try await runner.store.job(id), !job.isSync else { return nil }
        return job
    }

    /// Throws 404.
    func known(_ id: String) async throws -> StoredJob {
        guard let job = try await job(id) else {
            throw APIError(.notFound, "Video not found", remedy: "There is no video `\(id.prefix(64))`.")
        }
        return job
    }

    func view(_ job: StoredJob) async throws -> VideoJob { try await view([job])[0] }

    func view(_ jobs: [StoredJob]) async throws -> [VideoJob] {
        let queues = jobs.contains { $0.status == .queued } ? try await runner.store.queues() : [:]
        let places = queues.values.reduce(into: [String: Int]()) { places, ids in
            for (place, id) in ids.enumerated() { places[id] = place }
        }
        var views: [VideoJob] = []
        for job in jobs {
            var view = VideoJob(job)
            switch job.status {
            case .queued:
                // Not there any more: claimed a moment ago.
                (view.stage, view.queuePosition) = ("queued", places[job.id] ?? 0)
                view.etaSeconds = runner.board.secondsLeft(
                    job, place: places[job.id] ?? 0, running: await runner.runningJobs(of: job.model)
                ).map(Self.rounded)
            case .inProgress:
                let progress = runner.board.progress(job.id)
                view.stage = (progress?.stage ?? .load).rawValue
                (view.step, view.steps, view.progress) = (progress?.step ?? 0, progress?.steps ?? 1, progress?.percent ?? 0)
                view.etaSeconds = runner.board.secondsLeft(job, place: nil, running: []).map(Self.rounded)
            case .completed, .failed: break
            }
            views.append(view)
        }
        return views
    }

    private static func rounded(_ seconds: Double) -> Double { (seconds * 10).rounded() / 10 }
}

extension VideoJob {
    /// What a row says; what only the running process knows is left out.
    init(_ job: StoredJob) {
        self.init()
        let asked = job.request
        (id, model, prompt, status) = (job.id, job.modelName, asked.prompt, job.status)
        (createdAt, completedAt, expiresAt) = (Int(job.createdAt), job.completedAt.map { Int($0) }, job.expiresAt.map { Int($0) })
        size = asked.askedSize?.description
        quality = asked.quality?.rawValue ?? "default"
        error = job.error
        fps = job.result?.fps ?? asked.fps
        frames =
            job.result?.frames ?? asked.frames
            ?? asked.seconds.flatMap { seconds in asked.fps.map { Int((Double(seconds) * $0).rounded()) } }
        duration = job.result?.seconds ?? fps.flatMap { fps in frames.map { Double($0) / fps } }
        seconds = (asked.seconds ?? duration.map { max(1, Int($0.rounded(.up))) }).map(String.init) ?? seconds
        if job.status == .failed, let start = job.startedAt, let end = job.completedAt { inferenceSeconds = end - start }
        guard let result = job.result else { return }
        progress = 100
        fileName = "\(job.id).mp4"
        inferenceSeconds = result.inferenceSeconds
        (stageDurations, peakMemory, metrics, note) = (result.stageDurations, result.peakMemory, result.metrics, result.note)
    }
}
