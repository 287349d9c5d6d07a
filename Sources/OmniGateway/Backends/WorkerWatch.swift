import Logging
import OmniWorkerAPI

/// Follows a worker's own account of itself while its process runs: often while it loads, now and then once it serves.
struct WorkerWatch: Sendable {
    let link: any WorkerLink
    let clock: BackendClock
    let logger: Logger
    /// What is to be done with a worker that serves and has been idle for long enough.
    let isIdle: @Sendable () -> Bool
    /// Its words, as events of the life cycle.
    let tell: @Sendable (WorkerLifecycle.Event) -> Void
    /// What it serves, before it is told that it does.
    let describe: @Sendable (WorkerStatus) -> Void

    /// Longest time that a worker may leave its status unanswered, or an engine with work may go without finishing a step,
    /// before it counts as hung and is ended, to be started anew. Generous: a busy machine is no fault.
    static let longestSilence = Duration.seconds(60)
    static let longestStall = 300.0

    func run() async {
        var isReady = false
        var lastAnswer = clock.now()
        var pause = Duration.milliseconds(5)
        while !Task.isCancelled {
            try? await clock.sleep(pause)
            guard let account = await link.status() else {
                if !Task.isCancelled, clock.now() - lastAnswer > Self.longestSilence { return endHung("it does not answer") }
                continue
            }
            if Task.isCancelled { return }
            lastAnswer = clock.now()
            if !isReady { pause = .milliseconds(20) }
            let status: WorkerStatus
            switch account {
            case .status(let own): status = own
            case .foreign(let version): return isReady ? endHung("it says that it has become version \(version)") : refuse(version)
            }
            if let stall = status.stalledSeconds, stall > Self.longestStall { return endHung("no step has ended for \(Int(stall)) s") }
            switch status.state {
            case .loading where !isReady: tell(.progress(status.progress ?? 0))
            case .failed where !isReady: return fail(status.reason ?? "The worker gave no reason.")
            case .ready where !isReady:
                isReady = true
                pause = .milliseconds(500)
                describe(status)
                logger.info("model ready")
                tell(.loaded)
            // What serves has no way back.
            case .loading, .failed: return endHung("it says that it is \(status.state.rawValue) after it was ready")
            case .ready: break
            }
            if isReady, isIdle() { tell(.sleepRequested) }
        }
    }

    private func refuse(_ version: Int) {
        let reason =
            "The worker speaks version \(version) of the internal protocol and this server version \(WorkerProtocol.version): the program was replaced while the server ran. Restart the server."
        logger.warning("worker of another version", metadata: ["reason": .string(reason)])
        tell(.foreign(reason: reason))
    }

    private func fail(_ reason: String) {
        logger.error("model cannot be loaded", metadata: ["reason": .string(reason)])
        tell(.loadFailed(reason: reason))
    }

    /// A process that has stopped working is ended; the life cycle takes that for a crash and starts another.
    private func endHung(_ reason: String) {
        logger.error("worker hangs and is ended", metadata: ["reason": .string(reason)])
        tell(.hung)
    }
}
