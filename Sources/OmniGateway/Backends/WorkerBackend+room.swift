import OmniAPI
import OmniEngine
import OmniWorkerAPI
import Synchronization

/// How long a model stays loaded, and what it takes meanwhile.
extension WorkerBackend {
    public func keep(_ keepAlive: KeepAlive) { shared.withLock { $0.keepAlive = keepAlive } }

    /// Time without requests after which it sleeps; nil is never.
    func lifetime(_ keepAlive: KeepAlive?) -> Duration? {
        switch keepAlive {
        case .seconds(let seconds): .seconds(seconds)
        case .forever: nil
        case nil: idleUnload
        }
    }

    /// Whether the process has been without requests for long enough.
    func isIdle(_ run: WorkerRun) -> Bool {
        guard !isPinned, let lifetime = lifetime(shared.withLock { $0.keepAlive }), let idle = idleTime(of: run) else { return false }
        return idle >= lifetime
    }

    /// Time since a process was last asked, or began to serve; nil while it loads or answers.
    func idleTime(of run: WorkerRun) -> Duration? {
        guard let idle = counter.idleTime, let since = run.readySince else { return nil }
        return min(idle, clock.now() - since)
    }

    /// Returns once its process does not load any more.
    func loaded() async {
        while true {
            let (seen, state) = shared.withLock { ($0.changes, $0.lifecycle.state) }
            guard case .loading = state else { return }
            await nextChange(since: seen)
        }
    }

    /// Applies an event that starts a process, once there is room for it.
    func rise(_ event: WorkerLifecycle.Event) async throws {
        guard let room, residency == nil else { return apply(event) }
        try await room.enter(self, by: event)
    }

    /// What it sets aside, as it said itself, or as its files let expect.
    var estimatedBytes: Int { shared.withLock { $0.report.memoryBytes ?? expectedBytes } }

    /// What it takes; nil while it has no process.
    var residency: ModelRoomPlan.Resident? {
        shared.withLock { shared in
            switch shared.lifecycle.state {
            case .asleep, .failed, .shutDown: return nil
            case .loading, .ready, .draining, .stopping, .backingOff: break
            }
            let idle = counter.idleTime
            return ModelRoomPlan.Resident(
                id: id, isPinned: isPinned, isIdle: shared.lifecycle.state == .ready && idle != nil, idle: idle ?? .zero,
                loading: shared.loading ?? .seconds(1), bytes: shared.report.memoryBytes ?? expectedBytes)
        }
    }
}
