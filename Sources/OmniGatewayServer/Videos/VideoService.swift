import Logging
import NIOPosix
import OmniAPI
import OmniGateway
import OmniStore
import OmniWorkerAPI
import ServiceLifecycle

/// What keeps video jobs going while the server runs: the queue, webhooks, and the end of results whose time is over.
struct VideoService: Service {
    let runner: JobRunner
    let webhooks: WebhookSender
    let logger: Logger

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await webhooks.run() }
            group.addTask { await sweep() }
            group.addTask { try? await gracefulShutdown() }
            _ = await group.next()
            group.cancelAll()
        }
        await runner.drain()
    }

    /// The files of completed jobs go when their time is over; their rows, and those of failed jobs, a month later.
    private func sweep() async {
        while !Task.isCancelled {
            for job in (try? await runner.store.expired()) ?? [] {
                if job.status == .failed || job.result?.isExpired == true {
                    _ = try? await runner.delete(job.id)
                } else if (try? await runner.store.change(job.id, .filesExpired)) != nil {
                    try? await NIOThreadPool.singleton.runIfActive { runner.files.remove(job.id) }
                    logger.info("a video's time is over", metadata: ["job": .string(job.id)])
                }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
