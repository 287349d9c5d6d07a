import NIOCore

/// Runs tasks on the thread of an event loop. A request that stays on its connection's loop costs no wake-up of another
/// thread for each token; with as many computing threads as cores every wake-up takes time from the model.
///
/// Long work does not belong here, since the loop's other connections wait for it: see `away(if:_:)`.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
