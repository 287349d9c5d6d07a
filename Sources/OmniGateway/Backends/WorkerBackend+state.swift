import Logging
import OmniWorkerAPI
import Synchronization

/// One process of a worker, from its start to its end.
final class WorkerRun: Sendable {
    private struct State {
        let began: ContinuousClock.Instant
        var readySince: ContinuousClock.Instant?
        var hasAnswered = false
        var task: Task<Void, Never>?
    }

    /// Made with the run: whoever ends it before its process is there must not be missed.
    let stop = StopSignal()
    private let state: Mutex<State>

    init(began: ContinuousClock.Instant) { state = Mutex(State(began: began)) }

    var task: Task<Void, Never>? { state.withLock { $0.task } }
    var readySince: ContinuousClock.Instant? { state.withLock { $0.readySince } }
    var hasAnswered: Bool { state.withLock { $0.hasAnswered } }

    func begin(_ body: @escaping @Sendable () async -> Void) { state.withLock { $0.task = Task { await body() } } }
    /// Returns how long it took.
    func noteReady(_ time: ContinuousClock.Instant) -> Duration {
        state.withLock { state in
            state.readySince = time
            return time - state.began
        }
    }
    func noteAnswer() { state.withLock { $0.hasAnswered = true } }
}

extension WorkerBackend {
    /// Applies an event and does what follows from it. Words of `run` count only while that is the process of now.
    func apply(_ event: WorkerLifecycle.Event, from run: WorkerRun? = nil, isTimer: Bool = false) {
        let (actions, mode) = shared.withLock { shared -> ([WorkerLifecycle.Action], WorkerLifecycle.SafeMode?) in
            if let run, shared.process !== run { return ([], nil) }
            // Whoever left the state that a clock belongs to has cancelled the clock's task under this lock.
            if isTimer, Task.isCancelled { return ([], nil) }
            let before = shared.lifecycle
            logger.trace("worker event", metadata: ["event": .string(event.name), "state": .string(before.state.name)])
            let actions = shared.lifecycle.handle(event)
            if shared.lifecycle.state != before.state {
                shared.timer?.cancel()
                shared.timer = nil
                if shared.lifecycle.state == .asleep { shared.keepAlive = nil }
            }
            for action in actions { perform(action, &shared) }
            return (actions, before.safeMode == nil ? shared.lifecycle.safeMode : nil)
        }
        for action in actions { log(action) }
        if let mode {
            logger.warning(
                "worker runs in safe mode from now on: plain kernels, no repacked weights", metadata: ["reason": .string(mode.reason)])
        }
        onChange()
        let waiters = shared.withLock { shared in
            shared.changes += 1
            defer { shared.waiters = [:] }
            return shared.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    private func perform(_ action: WorkerLifecycle.Action, _ shared: inout Shared) {
        switch action {
        case .spawn(let safeMode):
            let run = WorkerRun(began: clock.now())
            shared.process = run
            var launch = shared.lifecycle.usesOwnImage ? launch.fromOwnImage : launch
            if safeMode != nil { launch = launch.inSafeMode }
            run.begin { [launch] in await self.runProcess(run, launch) }
        case .spawnAfter(let pause): shared.timer = timer(pause, .backOffOver)
        case .restFor(let pause): shared.timer = timer(pause, .rested)
        case .watchDrain: Task { await self.watchDrain() }
        case .stopProcess: shared.process?.stop.request()
        case .report: break
        }
    }

    private func log(_ action: WorkerLifecycle.Action) {
        switch action {
        case .spawnAfter(let pause): logger.warning("worker will be restarted", metadata: ["pause": "\(pause)"])
        case .report(let what): logger.error("impossible event of a worker", metadata: ["event": .string(what)])
        case .spawn, .watchDrain, .stopProcess, .restFor: break
        }
    }

    private func timer(_ pause: Duration, _ event: WorkerLifecycle.Event) -> Task<Void, Never> {
        Task {
            try? await clock.sleep(pause)
            apply(event, isTimer: true)
        }
    }

    /// Returns once there was an event after the `seen`th, or when the task is cancelled.
    func nextChange(since seen: Int) async {
        let ticket = shared.withLock { shared in
            shared.nextWaiter += 1
            return shared.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = shared.withLock { shared in
                    guard !Task.isCancelled, shared.changes == seen else { return true }
                    shared.waiters[ticket] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            shared.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }

    // MARK: - The process

    private func runProcess(_ run: WorkerRun, _ launch: WorkerLaunch) async {
        let watch = WorkerWatch(
            link: link, clock: clock, logger: logger,
            isIdle: { self.isIdle(run) },
            tell: { self.apply($0, from: run) },
            describe: { status in
                let loading = run.noteReady(self.clock.now())
                self.shared.withLock { if $0.process === run { ($0.report, $0.loading) = (status, loading) } }
                if let room = self.room { Task { await room.settle(self) } }
            })
        let watching = Task { await watch.run() }
        let end = await launcher.run(launch, stop: run.stop)
        watching.cancel()
        // Its last words come before the end.
        await watching.value
        let served = run.readySince.map { clock.now() - $0 } ?? .zero
        logger.info("worker ended", metadata: ["status": "\(end)"])
        apply(.exited(end, servedFor: served, hasAnswered: run.hasAnswered), from: run)
    }

    /// Waits until nobody waits for an answer any more, or the limit is over.
    private func watchDrain() async {
        let deadline = clock.now() + drainLimit
        while counter.count > 0, clock.now() < deadline, shared.withLock({ $0.lifecycle.state == .draining }) {
            try? await clock.sleep(.milliseconds(20))
        }
        apply(.drained)
    }
}
