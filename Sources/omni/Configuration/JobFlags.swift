import ArgumentParser
import Foundation
import Logging
import OmniAPI
import OmniEngine
import OmniGateway
import OmniGatewayServer
import OmniRequests
import OmniStore

/// Flags of the video jobs.
struct JobFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp("Video jobs worked on at once; 1 by default. Those of one model run one after the other.", valueName: "count"))
    var maxJobs: Int?

    @Option(help: ArgumentHelp("Video jobs that may wait; more get 503. 1000 by default.", valueName: "count"))
    var maxJobQueue: Int?

    @Option(help: ArgumentHelp("How long a video job's files are kept, its row a month longer; for ever by default.", valueName: "seconds"))
    var jobTtl: Double?

    @Option(help: ArgumentHelp("Disk space that all video jobs may take together; what the disk holds by default.", valueName: "bytes"))
    var jobQuota: Int?

    func validate() throws {
        for (name, value) in [("--max-jobs", maxJobs), ("--max-job-queue", maxJobQueue), ("--job-quota", jobQuota)] where (value ?? 1) < 1 {
            throw ValidationError("\(name) must be at least 1.")
        }
        if let jobTtl, !(0...3_153_600_000).contains(jobTtl) {
            throw ValidationError("--job-ttl must be from 0 to 3153600000 seconds, not \(jobTtl).")
        }
    }

    func desk(
        _ database: Database, folder: URL, catalogue: Catalogue, fetcher: any MediaFetcher, limits: ImageRequestLimits, logger: Logger
    ) throws -> VideoJobService {
        var settings = JobRunner.Settings()
        settings.maxJobs = maxJobs ?? settings.maxJobs
        settings.mostQueued = maxJobQueue ?? settings.mostQueued
        let runner = JobRunner(
            store: SQLiteJobStore(database, keepFor: jobTtl), files: try JobFiles(folder: folder, quota: jobQuota), catalogue: catalogue,
            settings: settings, logger: logger)
        // vLLM-Omni's name.
        let limit =
            ProcessInfo.processInfo.environment["VLLM_OMNI_VIDEO_SYNC_TIMEOUT"].flatMap { Double($0) }.map { min(max(1, $0), 86400) } ?? 600
        return VideoJobService(runner: runner, fetcher: fetcher, limits: limits, syncLimit: .seconds(limit))
    }

    /// `OMNI_WEBHOOK_SECRET`, else the one in the file `webhook.secret`, which is made at the first start.
    static func webhookSecret(in folder: URL) throws -> String {
        if let given = ProcessInfo.processInfo.environment["OMNI_WEBHOOK_SECRET"], !given.isEmpty { return given }
        let path = folder.appending(path: "webhook.secret").path
        if let kept = try? String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines), !kept.isEmpty {
            return kept
        }
        var generator = SystemRandomNumberGenerator()
        let secret = "whsec_" + Data((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }).base64EncodedString()
        try DurableFile.write(Array((secret + "\n").utf8), to: path)
        return secret
    }
}
