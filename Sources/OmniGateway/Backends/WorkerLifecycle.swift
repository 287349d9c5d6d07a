/// The life of a worker process as a pure value: events in, actions out. Time comes with the events, so that tests need no clock.
struct WorkerLifecycle: Sendable, Equatable {
    enum State: Sendable, Equatable {
        case asleep
        /// The process runs and loads its model.
        case loading(Double)
        case ready
        /// It takes no more requests and ends once the running ones have; whoever asks meanwhile keeps it awake.
        case draining
        /// The process has been told to end.
        case stopping(then: Afterwards)
        /// The process died; the next start is due after a pause.
        case backingOff
        /// It cannot serve: the model is unusable, or it died too often. Once it has rested, the next request tries anew.
        case failed(reason: String, hasRested: Bool)
        case shutDown(isEnding: Bool)
    }

    enum Afterwards: Sendable, Equatable {
        case sleep, wake
        case fail(reason: String)
    }

    enum Event: Sendable, Equatable {
        /// Somebody wants it to serve, whatever has been.
        case wakeRequested
        /// A request came while it did not serve.
        case requestArrived
        /// Sleep when the running requests have ended.
        case sleepRequested
        /// They have, or may take no longer.
        case drained
        case shutdownRequested
        case progress(Double)
        case loaded
        /// The worker said why it cannot serve.
        case loadFailed(reason: String)
        /// It is of another version than this server.
        case foreign(reason: String)
        /// It does not answer, or does not get on.
        case hung
        /// The process is gone. `servedFor` is how long it had been ready, `hasAnswered` whether a request got its whole answer.
        case exited(WorkerEnd, servedFor: Duration, hasAnswered: Bool)
        case backOffOver
        /// A failed worker's rest is over.
        case rested
    }

    enum Action: Sendable, Equatable {
        case spawn(SafeMode?)
        case spawnAfter(Duration)
        /// Tell when the running requests have ended.
        case watchDrain
        case stopProcess
        case restFor(Duration)
        /// This cannot happen: a fault in this program, for the log.
        case report(String)
    }

    /// A worker that dies this often without serving for a minute in between is given up.
    static let mostCrashes = 8
    /// How long a worker that was given up is left alone.
    static let rest = Duration.seconds(60)

    private(set) var state = State.asleep
    /// Set once its process has died of its own code before its first answer, until the server ends.
    private(set) var safeMode: SafeMode?
    /// Set once a worker was of another version: the program's file was replaced, so the next ones are started from what runs here.
    private(set) var usesOwnImage = false
    private var crashes = 0

    /// Why a worker runs on plain kernels.
    struct SafeMode: Sendable, Equatable {
        let reason: String
    }

    // One case for each pair of state and event, so that a new one of either has to be thought through: what it does, that it may come
    // late, or that it cannot be.
    mutating func handle(_ event: Event) -> [Action] {
        switch (state, event) {

        // Wanted
        case (.asleep, .wakeRequested), (.asleep, .requestArrived), (.failed, .wakeRequested),
            (.failed(_, hasRested: true), .requestArrived):
            crashes = 0
            return spawn()
        case (.stopping, .wakeRequested), (.stopping(then: .sleep), .requestArrived), (.stopping(then: .wake), .requestArrived):
            state = .stopping(then: .wake)
            return []
        case (.draining, .wakeRequested), (.draining, .requestArrived):
            state = .ready
            return []
        case (.loading, .wakeRequested), (.loading, .requestArrived), (.ready, .wakeRequested), (.ready, .requestArrived),
            (.backingOff, .wakeRequested),
            (.backingOff, .requestArrived), (.failed(_, hasRested: false), .requestArrived), (.stopping(then: .fail), .requestArrived),
            (.shutDown, .wakeRequested), (.shutDown, .requestArrived):
            return []

        // Not wanted
        case (.ready, .sleepRequested):
            state = .draining
            return [.watchDrain]
        case (.draining, .drained):
            state = .stopping(then: .sleep)
            return [.stopProcess]
        case (.loading, .sleepRequested):
            state = .stopping(then: .sleep)
            return [.stopProcess]
        case (.stopping, .sleepRequested):
            state = .stopping(then: .sleep)
            return []
        case (.backingOff, .sleepRequested), (.failed, .sleepRequested):
            state = .asleep
            return []
        case (.asleep, .sleepRequested), (.draining, .sleepRequested), (.shutDown, .sleepRequested):
            return []
        // Woken again, crashed or put to its end meanwhile.
        case (.asleep, .drained), (.loading, .drained), (.ready, .drained), (.stopping, .drained), (.backingOff, .drained),
            (.failed, .drained), (.shutDown, .drained):
            return []
        case (.asleep, .shutdownRequested), (.failed, .shutdownRequested), (.backingOff, .shutdownRequested):
            state = .shutDown(isEnding: false)
            return []
        case (.loading, .shutdownRequested), (.ready, .shutdownRequested), (.draining, .shutdownRequested), (.stopping, .shutdownRequested):
            state = .shutDown(isEnding: true)
            return [.stopProcess]
        case (.shutDown, .shutdownRequested):
            return []

        // What the process says; the last words of one that was told to end do not count
        case (.loading, .progress(let fraction)):
            state = .loading(min(max(fraction, 0), 1))
            return []
        case (.loading, .loaded):
            state = .ready
            return []
        case (.loading, .loadFailed(let reason)):
            state = .stopping(then: .fail(reason: reason))
            return [.stopProcess]
        case (.loading, .foreign(let reason)):
            state = .stopping(then: usesOwnImage ? .fail(reason: reason) : .wake)
            usesOwnImage = true
            return [.stopProcess]
        case (.loading, .hung), (.ready, .hung), (.draining, .hung):
            // Its end counts as a crash.
            return [.stopProcess]
        case (.stopping, .progress), (.stopping, .loaded), (.stopping, .loadFailed), (.stopping, .foreign), (.stopping, .hung),
            (.shutDown(isEnding: true), .progress), (.shutDown(isEnding: true), .loaded), (.shutDown(isEnding: true), .loadFailed),
            (.shutDown(isEnding: true), .foreign), (.shutDown(isEnding: true), .hung):
            return []

        // Its end
        case (.loading, .exited(let end, let servedFor, let hasAnswered)), (.ready, .exited(let end, let servedFor, let hasAnswered)):
            note(end, hasAnswered)
            crashes = servedFor > .seconds(60) ? 1 : crashes + 1
            guard crashes < Self.mostCrashes else { return fail("Its worker died \(crashes) times in a row, last of \(end).") }
            state = .backingOff
            return [.spawnAfter(Self.pause(afterCrash: crashes))]
        case (.draining, .exited(let end, _, let hasAnswered)):
            note(end, hasAnswered)
            state = .asleep
            return []
        case (.stopping(then: .sleep), .exited):
            state = .asleep
            return []
        case (.stopping(then: .wake), .exited):
            crashes = 0
            return spawn()
        case (.stopping(then: .fail(let reason)), .exited):
            return fail(reason)
        case (.shutDown(isEnding: true), .exited):
            state = .shutDown(isEnding: false)
            return []

        // Time
        case (.backingOff, .backOffOver):
            return spawn()
        case (.failed(let reason, _), .rested):
            state = .failed(reason: reason, hasRested: true)
            return []

        // There is no process that could say this, or it has said before that it serves
        case (.asleep, .progress), (.asleep, .loaded), (.asleep, .loadFailed), (.asleep, .hung), (.asleep, .exited),
            (.backingOff, .progress),
            (.backingOff, .loaded), (.backingOff, .loadFailed), (.backingOff, .hung), (.backingOff, .exited), (.failed, .progress),
            (.failed, .loaded),
            (.failed, .loadFailed), (.failed, .hung), (.failed, .exited), (.shutDown(isEnding: false), .progress),
            (.shutDown(isEnding: false), .loaded),
            (.shutDown(isEnding: false), .loadFailed), (.shutDown(isEnding: false), .hung), (.shutDown(isEnding: false), .exited),
            (.ready, .progress),
            (.ready, .loaded), (.ready, .loadFailed), (.draining, .progress), (.draining, .loaded), (.draining, .loadFailed),
            (.asleep, .foreign), (.backingOff, .foreign), (.failed, .foreign), (.shutDown(isEnding: false), .foreign), (.ready, .foreign),
            (.draining, .foreign):
            return [.report("\(event) while \(state)")]
        // The clock that told this has been stopped
        case (.asleep, .backOffOver), (.loading, .backOffOver), (.ready, .backOffOver), (.draining, .backOffOver),
            (.stopping, .backOffOver),
            (.failed, .backOffOver), (.shutDown, .backOffOver), (.asleep, .rested), (.loading, .rested), (.ready, .rested),
            (.draining, .rested),
            (.stopping, .rested), (.backingOff, .rested), (.shutDown, .rested):
            return [.report("\(event) while \(state)")]
        }
    }

    private mutating func spawn() -> [Action] {
        state = .loading(0)
        return [.spawn(safeMode)]
    }

    private mutating func fail(_ reason: String) -> [Action] {
        state = .failed(reason: reason, hasRested: false)
        return [.restFor(Self.rest)]
    }

    /// A worker that ended itself before it had answered anything is not started like that again: on a CPU that nobody had tried, a
    /// kernel may be broken that every request needs.
    private mutating func note(_ end: WorkerEnd, _ hasAnswered: Bool) {
        guard end.isOwnFault, !hasAnswered, safeMode == nil else { return }
        safeMode = SafeMode(reason: "Its worker died of \(end), before it had answered anything.")
    }

    /// 0.1 s, then doubling to at most 10 s.
    static func pause(afterCrash count: Int) -> Duration {
        .milliseconds(min(100 << min(count - 1, 10), 10_000))
    }
}

extension WorkerLifecycle.State {
    /// Without what it holds, for logs.
    var name: String {
        switch self {
        case .asleep: "asleep"
        case .loading: "loading"
        case .ready: "ready"
        case .draining: "draining"
        case .stopping(then: .sleep): "stopping to sleep"
        case .stopping(then: .wake): "stopping to wake"
        case .stopping(then: .fail): "stopping as failed"
        case .backingOff: "backing off"
        case .failed(_, hasRested: false): "failed"
        case .failed(_, hasRested: true): "failed and rested"
        case .shutDown(isEnding: true): "shutting down"
        case .shutDown(isEnding: false): "shut down"
        }
    }
}

extension WorkerLifecycle.Event {
    /// Without what it holds, for logs.
    var name: String {
        switch self {
        case .wakeRequested: "wake requested"
        case .requestArrived: "request arrived"
        case .sleepRequested: "sleep requested"
        case .drained: "drained"
        case .shutdownRequested: "shutdown requested"
        case .progress: "progress"
        case .loaded: "loaded"
        case .loadFailed: "load failed"
        case .foreign: "foreign"
        case .hung: "hung"
        case .exited: "exited"
        case .backOffOver: "back-off over"
        case .rested: "rested"
        }
    }
}
