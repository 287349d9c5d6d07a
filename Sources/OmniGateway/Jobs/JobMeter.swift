import OmniAPI
import OmniEngine
import OmniStore
import OmniWorkerAPI

/// Counts video jobs in the families of API.md, section 18; under `omni:` where it has none. Counters begin at 0 when the
/// server starts.
struct JobMeter: Sendable {
    private let registry = MetricsRegistry()

    private static let stage = MetricsRegistry.Family.histogram("vllm_omni:stage_gen_time_s", "Seconds that a stage of a request took.")
    private static let bytes = MetricsRegistry.Family.gauge("omni:video_bytes_stored", "Bytes that the files of video jobs take.")

    /// A job has got its turn.
    func began(_ job: StoredJob) {
        guard let start = job.startedAt else { return }
        registry.observe(.requestQueueWait, max(0, start - job.createdAt), labels: ["model_name": job.model])
    }

    /// A job is over.
    ///
    /// - Parameter stages: seconds of its last attempt, as far as it came.
    func ended(_ job: StoredJob, stages: [VideoTaskStage: Double] = [:]) {
        switch job.status {
        case .completed: registry.add(.requestsSucceeded, labels: ["model_name": job.model, "finished_reason": "stop"])
        case .failed: registry.add(.requestsFailed, labels: ["model_name": job.model, "reason": "error"])
        case .queued, .inProgress: return
        }
        if let end = job.completedAt { registry.observe(.requestLatency, max(0, end - job.createdAt), labels: ["model_name": job.model]) }
        for stage in VideoTaskStage.allCases {
            guard let seconds = stages[stage] else { continue }
            registry.observe(Self.stage, seconds, labels: ["model_name": job.model, "stage": stage.rawValue, "stage_type": "diffusion"])
        }
    }

    /// A job was deleted before it was over.
    func cancelled(_ job: StoredJob) { registry.add(.requestsFailed, labels: ["model_name": job.model, "reason": "cancelled"]) }

    /// The exposition, with what is so now.
    ///
    /// - Parameters:
    ///   - queues: waiting and running jobs by model.
    ///   - storedBytes: what the files of all jobs take.
    func text(queues: [String: (waiting: Int, running: Int)], storedBytes: Int) -> String {
        let now = MetricsRegistry()
        for (model, counts) in queues {
            now.set(.requestsWaiting, Double(counts.waiting), labels: ["model_name": model])
            now.set(.requestsRunning, Double(counts.running), labels: ["model_name": model])
        }
        now.set(Self.bytes, Double(storedBytes))
        return MetricsRegistry.merge([now.text, registry.text])
    }
}
