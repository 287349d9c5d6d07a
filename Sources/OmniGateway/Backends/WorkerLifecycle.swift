import OmniAPI

/// The life of a worker process as a pure value: events in, one action out. Time comes with the events, so that tests need
/// no clock.
struct WorkerLifecycle: Sendable, Equatable {
    enum State: Sendable, Equatable {
        case asleep
        /// The process runs and loads its model.
        case loading(Double)
        case ready
        /// It takes no more requests and ends once the running ones have; whoever asks meanwhile wakes it.
        case draining
        /// The process is being ended; `thenWake` when somebody asked for it meanwhile.
        case stopping(thenWake: Bool)
        /// The process died; the next start is due after a pause.
        case backingOff
        /// It cannot serve: the model is unusable, or it died too often.
        case failed(reason: String)
        case shutDown
    }

    enum Event: Sendable, Equatable {
        case wakeRequested
        /// Sleep at once.
        case sleepRequested
        /// Sleep when the running requests have ended.
        case drainRequested
        /// They have, or may take no longer.
        case drained
        case shutdownRequested
        case progress(Double)
        case loaded
        /// The worker said why it cannot serve.
        case loadFailed(reason: String)
        /// The process is gone; `servedFor` is how long it had been ready.
        case exited(status: String, servedFor: Duration)
        case backOffOver
    }

    enum Action: Sendable, Equatable {
        case none
        case spawn
        case spawnAfter(Duration)
        /// Tell when the running requests have ended.
        case watchDrain
        case stopProcess
    }

    /// A worker that dies this often without serving for a minute in between is given up.
    static let mostCrashes = 8

    private(set) var state = State.asleep
    private var crashes = 0
    /// The process of a model that could not be loaded is on its way out: no second one beside it.
    private var isEnding = false

    mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.shutDown, _): return .none
        case (.asleep, .shutdownRequested), (.failed, .shutdownRequested), (.backingOff, .shutdownRequested):
            state = .shutDown
            return .none
        case (_, .shutdownRequested):
            state = .shutDown
            return .stopProcess

        case (.asleep, .wakeRequested) where isEnding, (.failed, .wakeRequested) where isEnding:
            state = .stopping(thenWake: true)
            return .none
        case (.asleep, .wakeRequested), (.failed, .wakeRequested):
            crashes = 0
            state = .loading(0)
            return .spawn
        case (.stopping, .wakeRequested):
            state = .stopping(thenWake: true)
            return .none

        case (.loading, .sleepRequested), (.ready, .sleepRequested):
            state = .stopping(thenWake: false)
            return .stopProcess
        case (.ready, .drainRequested):
            state = .draining
            return .watchDrain
        case (.draining, .wakeRequested):
            state = .ready
            return .none
        case (.draining, .drained), (.draining, .sleepRequested):
            state = .stopping(thenWake: false)
            return .stopProcess
        case (.draining, .exited):
            state = .asleep
            return .none
        case (.backingOff, .sleepRequested), (.failed, .sleepRequested):
            state = .asleep
            return .none

        case (.loading, .progress(let fraction)):
            state = .loading(min(max(fraction, 0), 1))
            return .none
        case (.loading, .loaded):
            state = .ready
            return .none
        case (.loading, .loadFailed(let reason)):
            state = .failed(reason: reason)
            isEnding = true
            return .stopProcess
        case (.asleep, .exited), (.failed, .exited):
            isEnding = false
            return .none

        case (.stopping(let thenWake), .exited):
            isEnding = false
            state = thenWake ? .loading(0) : .asleep
            return thenWake ? .spawn : .none
        case (.loading, .exited(let status, let servedFor)), (.ready, .exited(let status, let servedFor)):
            crashes = servedFor > .seconds(60) ? 1 : crashes + 1
            guard crashes < Self.mostCrashes else {
                state = .failed(reason: "Its worker died \(crashes) times in a row, last with \(status).")
                return .none
            }
            state = .backingOff
            return .spawnAfter(Self.pause(afterCrash: crashes))
        case (.backingOff, .backOffOver):
            state = .loading(0)
            return .spawn

        default: return .none
        }
    }

    /// 0.1 s, then doubling to at most 10 s.
    static func pause(afterCrash count: Int) -> Duration {
        .milliseconds(min(100 << min(count - 1, 10), 10_000))
    }
}
